"""A server with tokens, as the clients of each protocol find it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import ServerProcess

TOKEN = "alpha-token"
HEC = b'{"event": "hello"}'
BULK = b'{"create":{"_index":"logs"}}\n{"message":"hello"}\n'
PUSH = b'{"streams": [{"stream": {"pod": "web-0"}, "values": [["1772366400000000000", "hello"]]}]}'


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "tokens").write_text(f"{TOKEN}\n")
    flags = ("--token-file", str(directory / "tokens"))
    with ServerProcess(directory / "data", *flags) as process:
        yield process


def post(server: ServerProcess, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    answer = server.client.post(path, content=body, headers={"Content-Type": "application/json", **headers})
    return answer.status_code, answer.text


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def api_key(name: str, key: str) -> str:
    return "ApiKey " + base64.b64encode(f"{name}:{key}".encode()).decode()


@pytest.mark.parametrize("authorization", [f"Splunk {TOKEN}", basic("x", TOKEN), f"Bearer {TOKEN}"])
def test_splunk_takes_its_tokens(guarded: ServerProcess, authorization: str) -> None:
    answer = post(guarded, "/services/collector/event", HEC, Authorization=authorization)
    assert answer == (200, '{"text":"Success","code":0}')


def test_splunk_tells_no_token_from_a_wrong_one(guarded: ServerProcess) -> None:
    assert post(guarded, "/services/collector", HEC) == (401, '{"text":"Token is required","code":2}')
    wrong = post(guarded, "/services/collector", HEC, Authorization="Splunk other")
    assert wrong == (403, '{"text":"Invalid token","code":4}')
    assert post(guarded, "/services/collector?token=other", HEC)[0] == 403
    assert post(guarded, f"/services/collector?token={TOKEN}", HEC)[0] == 200


def test_loki_answers_in_text(guarded: ServerProcess) -> None:
    answer = guarded.client.post("/loki/api/v1/push", content=PUSH)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/plain; charset=utf-8")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert post(guarded, "/loki/api/v1/push", PUSH, Authorization=basic("any", TOKEN))[0] == 204


def test_otlp_answers_with_a_status(guarded: ServerProcess) -> None:
    status, text = post(guarded, "/v1/logs", b'{"resourceLogs": []}')
    assert status == 401
    assert '"message":"a token is needed' in text.replace(": ", ":")
    assert post(guarded, "/v1/logs", b'{"resourceLogs": []}', Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize("authorization", [basic("elastic", TOKEN), f"ApiKey {TOKEN}", api_key("id", TOKEN)])
def test_elasticsearch_takes_its_tokens(guarded: ServerProcess, authorization: str) -> None:
    status, text = post(guarded, "/_bulk", BULK, Authorization=authorization)
    assert status == 200
    assert '"errors":false' in text


@pytest.mark.parametrize("path", ["/_bulk", "/elasticsearch/_bulk"])
def test_elasticsearch_answers_as_its_security_does(guarded: ServerProcess, path: str) -> None:
    answer = guarded.client.post(path, content=BULK)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="security", ApiKey'
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    assert answer.json()["error"]["type"] == "security_exception"


def test_the_page_of_a_browser_is_open_and_the_root_of_elasticsearch_is_not(guarded: ServerProcess) -> None:
    assert guarded.client.get("/", headers={"Accept": "text/html", "User-Agent": "Mozilla/5.0"}).status_code == 200
    agent = {"Accept": "application/vnd.elasticsearch+json; compatible-with=9", "User-Agent": "elasticsearch-py/9"}
    assert guarded.client.get("/", headers=agent).status_code == 401
    assert guarded.client.post("/", content=b'{"message": "x"}').status_code == 401


@pytest.mark.parametrize(
    "path", ["/ready", "/loki/ready", "/services/collector/health", "/services/collector/health/1.0"]
)
def test_health_needs_no_token(guarded: ServerProcess, path: str) -> None:
    assert guarded.client.get(path).status_code == 200


def test_dockers_question_before_a_container_starts_needs_no_token(guarded: ServerProcess) -> None:
    assert guarded.client.options("/services/collector/event/1.0").status_code == 200


def test_the_token_of_one_protocol_opens_nothing_else(guarded: ServerProcess) -> None:
    assert guarded.client.get(f"/api/v1/query?token={TOKEN}").status_code == 401
    assert guarded.client.post(f"/api/v1/logs?token={TOKEN}", content=b"{}").status_code == 401


def test_who_is_turned_away_is_counted_by_protocol_and_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"{TOKEN}\n")
    with ServerProcess(tmp_path / "data", "--token-file", str(tmp_path / "tokens")) as server:
        post(server, "/loki/api/v1/push", PUSH)
        server.client.headers["Authorization"] = f"Bearer {TOKEN}"
        refused = 'logstore_ingest_requests_refused_total{protocol="loki",reason="unauthorized"} 1.0'
        server.await_metric(refused)
        assert server.client.get("/api/v1/sources").json()["sources"] == []
