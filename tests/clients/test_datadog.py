"""Datadog's own clients against a real server: datadog-api-client of PyPI and of npm."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v1.api.authentication_api import AuthenticationApi
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.model.content_encoding import ContentEncoding
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem

from tests.clients.installed import run_node
from tests.serving import ServerProcess

KEY = "datadog-key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("datadog")
    tokens = folder / "tokens"
    tokens.write_text(KEY + "\n")
    headers = {"Authorization": f"Bearer {KEY}"}
    with ServerProcess(folder / "data", "--token-file", str(tokens), headers=headers) as process:
        yield process


def client(server: ServerProcess, key: str = KEY) -> ApiClient:
    configuration = Configuration(host=server.url, api_key={"apiKeyAuth": key})
    configuration.server_index = None
    return ApiClient(configuration)


def item(number: int, node: str) -> HTTPLogItem:
    return HTTPLogItem(
        message=f"line {number}",
        ddsource="nginx",
        ddtags="env:prod,kube_namespace:shop,pod_name:web-0,kube_container_name:app",
        hostname=node,
        service="web",
        status="warn",
        timestamp=1_790_000_000_123 + number,
        took=1.5,
        user={"name": "ann"},
    )


def found(server: ServerProcess, node: str) -> list[dict[str, Any]]:
    answer = server.query(f'node="{node}"', order="asc", limit=0)
    return [json.loads(line, parse_float=Decimal) for line in answer.text.splitlines()]


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_datadog_api_client_sends_logs(server: ServerProcess, encoding: str) -> None:
    node = f"py-{encoding}"
    with client(server) as api:
        answer = LogsApi(api).submit_log(
            HTTPLog([item(1, node), item(2, node)]), content_encoding=ContentEncoding(encoding), ddtags="team:a"
        )
    assert answer == {}
    first, second = found(server, node)
    assert [first["time"], second["time"]] == ["2026-09-21T14:13:20.124000000Z", "2026-09-21T14:13:20.125000000Z"]
    assert (first["namespace"], first["pod"], first["container"]) == ("shop", "web-0", "app")
    assert (first["severity"], first["message"]) == ("warn", "line 1")
    assert first["labels"] == {"node": node, "env": "prod", "service": "web", "ddsource": "nginx"}
    assert first["attributes"] == {"took": Decimal("1.5"), "user": {"name": "ann"}}


def test_a_wrong_key_is_forbidden(server: ServerProcess) -> None:
    with client(server, "wrong") as api:
        with pytest.raises(ApiException) as refused:
            LogsApi(api).submit_log(HTTPLog([item(1, "none")]))
        assert refused.value.status == 403
        with pytest.raises(ApiException):
            AuthenticationApi(api).validate()


def test_a_key_is_validated(server: ServerProcess) -> None:
    with client(server) as api:
        assert AuthenticationApi(api).validate().valid is True


@pytest.mark.needs_npm("@datadog/datadog-api-client")
def test_datadog_api_client_of_npm_sends_logs(server: ServerProcess) -> None:
    script = """
    const { client, v2 } = require('@datadog/datadog-api-client');
    const [url, key] = process.argv.slice(1);
    const configuration = client.createConfiguration({
        authMethods: { apiKeyAuth: key }, baseServer: new client.BaseServerConfiguration(url, {}),
    });
    const logs = new v2.LogsApi(configuration);
    const additionalProperties = { status: 'error', timestamp: '1790000000123' };
    const body = [{ message: 'from node', ddtags: 'env:prod', hostname: 'js', service: 'web', additionalProperties }];
    logs.submitLog({ body, contentEncoding: 'gzip' }).then((answer) => console.log(JSON.stringify(answer)));
    """
    assert json.loads(run_node(script, server.url, KEY)) == {}
    [record] = found(server, "js")
    assert (record["time"], record["severity"]) == ("2026-09-21T14:13:20.123000000Z", "error")
    assert record["message"] == "from node"
    assert record["labels"] == {"node": "js", "env": "prod", "service": "web"}


def test_what_was_answered_is_there_after_a_kill(server: ServerProcess) -> None:
    with client(server) as api:
        for number in range(10):
            LogsApi(api).submit_log(HTTPLog([item(number, "killed")]))
        server.kill()
        server.start()
        for number in range(10, 20):
            LogsApi(api).submit_log(HTTPLog([item(number, "killed")]))
    assert [record["message"] for record in found(server, "killed")] == [f"line {number}" for number in range(20)]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v2/logs", {"DD-API-KEY": KEY}, 202),
        (f"/api/v2/logs?dd-api-key={KEY}", {}, 202),
        ("/v1/input", {"DD-API-KEY": KEY}, 200),
        (f"/v1/input/{KEY}", {}, 200),
        ("/v1/input/wrong", {}, 403),
        ("/api/v2/logs", {}, 401),
    ],
)
def test_where_the_key_may_be(server: ServerProcess, path: str, headers: dict[str, str], status: int) -> None:
    answer = server.client.post(path, content=b"[]", headers={"Authorization": "", **headers})
    assert answer.status_code == status, answer.text


def test_a_body_that_is_too_large_is_said_in_datadogs_form(server: ServerProcess) -> None:
    answer = server.client.post("/api/v2/logs", content=b" " * (65 << 20))
    assert (answer.status_code, answer.json()["errors"][0]["status"]) == (413, "413")
