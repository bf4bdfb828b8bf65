"""Elasticsearch's and OpenSearch's clients, and rsyslog, send to the server as to their own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import elasticsearch
import elasticsearch.helpers
import elasticsearch7
import elasticsearch7.helpers
import opensearchpy
import pytest

from tests.clients.installed import program, python_apart, run_node
from tests.clients.relays import Relay
from tests.serving import ServerProcess

PREFIXES: Final = ("", "/es", "/elasticsearch/")
KUBERNETES: Final = {"namespace_name": "shop", "pod_name": "web-0", "container_name": "app", "host": "node-1"}
RECORDS: Final = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("elasticsearch") / "data") as started:
        yield started


def document(number: int) -> dict[str, Any]:
    return {
        "@timestamp": f"2026-03-01T12:00:00.{number:09d}Z",
        "message": f"line {number}",
        "log.level": "error" if number % 2 else "info",
        "kubernetes": KUBERNETES,
        "count": number,
        "ratio": 0.5,
        "ok": True,
        "deep": {"list": [1, None]},
    }


def assert_arrived(found: list[dict[str, Any]]) -> None:
    assert [row["message"] for row in found] == [f"line {number}" for number in range(RECORDS)]
    assert [row["time"] for row in found] == [f"2026-03-01T12:00:00.{number:09d}Z" for number in range(RECORDS)]
    assert {(row["namespace"], row["pod"], row["container"], row["labels"]["node"]) for row in found} == {
        ("shop", "web-0", "app", "node-1")
    }
    assert [row["severity"] for row in found[:2]] == ["info", "error"]
    assert found[7]["attributes"].items() >= {"count": 7, "ratio": 0.5, "ok": True, "deep": {"list": [1, None]}}.items()


Bulk = Callable[[str, list[dict[str, Any]]], tuple[int, Any]]


def bulk_9(url: str, actions: list[dict[str, Any]]) -> tuple[int, Any]:
    client = elasticsearch.Elasticsearch(url)
    assert client.ping() and client.info()["version"]["number"].startswith("8.")
    return elasticsearch.helpers.bulk(client, actions, chunk_size=100)


def bulk_7(url: str, actions: list[dict[str, Any]]) -> tuple[int, Any]:
    return elasticsearch7.helpers.bulk(elasticsearch7.Elasticsearch(url, http_compress=True), actions, chunk_size=100)


def bulk_opensearch(url: str, actions: list[dict[str, Any]]) -> tuple[int, Any]:
    client = opensearchpy.OpenSearch(url, http_compress=True)
    assert client.ping() and client.info()["tagline"]
    return opensearchpy.helpers.bulk(client, actions, chunk_size=100)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("bulk", [bulk_9, bulk_7, bulk_opensearch])
def test_pythons_clients_bulk(server: ServerProcess, bulk: Bulk, prefix: str) -> None:
    index = f"{bulk.__name__}{prefix.strip('/')}".replace("_", "-")
    actions = [{"_op_type": "create", "_index": index, **document(number)} for number in range(RECORDS)]
    assert bulk(server.url + prefix, actions) == (RECORDS, [])
    assert_arrived(server.records(f'es.index="{index}"'))


EIGHT: Final = """
import json, sys
import elasticsearch8 as es
from elasticsearch8.helpers import bulk
client = es.Elasticsearch(sys.argv[1])
assert client.info()["version"]["number"].startswith("8.")
actions = json.load(sys.stdin)
assert bulk(client, actions) == (len(actions), [])
assert client.indices.exists(index="any")
client.indices.create(index="any")
client.index(index="single", document={"message": "by itself"})
try:
    client.search(index="any")
except es.ApiError as error:
    assert error.status_code == 501, error
"""


@pytest.mark.needs_python_apart("elasticsearch8")
def test_pythons_client_8(server: ServerProcess) -> None:
    actions = [{"_index": "eight", "_id": str(number), **document(number)} for number in range(RECORDS)]
    environment = {**os.environ, "PYTHONPATH": str(python_apart("elasticsearch8"))}
    subprocess.run(
        [sys.executable, "-c", EIGHT, server.url], input=json.dumps(actions), text=True, env=environment, check=True
    )
    assert_arrived(server.records('es.index="eight"'))
    assert [row["message"] for row in server.records('es.index="single"')] == ["by itself"]


NODE: Final = """
const { Client } = require('@elastic/elasticsearch')
const [url, documents] = process.argv.slice(1)
const client = new Client({ node: url })
const send = async () => {
  const datasource = JSON.parse(documents)
  const done = await client.helpers.bulk({ datasource, onDocument: () => ({ create: { _index: 'node' } }) })
  console.log(done.successful, done.failed, (await client.info()).tagline)
}
send().then(() => process.exit())
"""


@pytest.mark.needs_npm("@elastic/elasticsearch")
def test_nodes_client_bulks(server: ServerProcess) -> None:
    told = run_node(NODE, server.url, json.dumps([document(number) for number in range(RECORDS)]))
    assert told == f"{RECORDS} 0 You Know, for Search\n"
    assert_arrived(server.records('es.index="node"'))


def test_a_document_that_is_too_long_is_reported_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", "--max-line", "1KiB") as small:
        client = elasticsearch.Elasticsearch(small.url)
        actions = [{"_index": "i", "message": text} for text in ("before", "x" * 2000, "after")]
        done, errors = elasticsearch.helpers.bulk(client, actions, raise_on_error=False)
        assert (done, [error["index"]["status"] for error in errors]) == (2, [400])
        assert "max_line" in errors[0]["index"]["error"]["reason"]
        assert [row["message"] for row in small.records("*")] == ["before", "after"]


def test_a_wrong_token_is_an_authentication_error(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("secret\n")
    actions = [{"_index": "i", "message": "m"}]
    with ServerProcess(
        tmp_path / "data", "--token-file", str(tokens), headers={"Authorization": "Bearer secret"}
    ) as guarded:
        for right in ({"basic_auth": ("any", "secret")}, {"bearer_auth": "secret"}):
            assert elasticsearch.helpers.bulk(elasticsearch.Elasticsearch(guarded.url, **right), actions) == (1, [])
        with pytest.raises(elasticsearch.AuthenticationException):
            elasticsearch.helpers.bulk(elasticsearch.Elasticsearch(guarded.url, bearer_auth="wrong"), actions)


BATCHES, BATCH = 60, 50


def test_a_server_that_is_killed_has_everything_once(tmp_path: Path) -> None:
    """The client sends a batch again until it is acknowledged; its ids tell that it is the same."""
    acknowledged = threading.Semaphore(0)
    with ServerProcess(tmp_path / "data") as server:
        client = elasticsearch.Elasticsearch(server.url, request_timeout=30)

        def send() -> None:
            for batch in range(BATCHES):
                numbers = range(batch * BATCH, (batch + 1) * BATCH)
                actions = [{"_op_type": "create", "_index": "k", "_id": str(n), "message": f"m{n}"} for n in numbers]
                while not is_taken(client, actions):
                    pass
                acknowledged.release()

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(3):
            for _ in range(BATCHES // 6):
                acknowledged.acquire()
            server.kill()
            server.start()
        sender.join()
        found = [row["message"] for row in server.records('es.index="k"')]
        assert sorted(found) == sorted(f"m{number}" for number in range(BATCHES * BATCH))


def is_taken(client: elasticsearch.Elasticsearch, actions: list[dict[str, Any]]) -> bool:
    try:
        return bool(elasticsearch.helpers.bulk(client, actions) == (len(actions), []))
    except (elasticsearch.ConnectionError, elasticsearch.ApiError):
        return False


TEMPLATE: Final = """
template(name="document" type="list") {
  constant(value="{\\"@timestamp\\":\\"") property(name="timereported" dateFormat="rfc3339")
  constant(value="\\",\\"host\\":\\"") property(name="hostname")
  constant(value="\\",\\"severity\\":\\"") property(name="syslogseverity-text")
  constant(value="\\",\\"facility\\":\\"") property(name="syslogfacility-text")
  constant(value="\\",\\"syslog-tag\\":\\"") property(name="syslogtag" format="json")
  constant(value="\\",\\"message\\":\\"") property(name="msg" format="json" position.from="2")
  constant(value="\\"}")
}
"""


def rsyslog(directory: Path, port: int) -> Relay:
    configuration = directory / "rsyslog.conf"
    configuration.write_text(
        f'global(workDirectory="{directory}")\n'
        'module(load="imuxsock" SysSock.Use="off")\nmodule(load="omelasticsearch")\n'
        f'input(type="imuxsock" Socket="{directory}/log" RateLimit.Interval="0")\n{TEMPLATE}'
        f'action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" template="document" searchType=""'
        f' searchIndex="logs-rsyslog" bulkmode="on" errorfile="{directory}/errors" action.resumeRetryCount="-1"'
        ' queue.type="linkedList" queue.dequeueBatchSize="50" queue.timeoutShutdown="20000")\n'
    )
    command = [program("rsyslogd") or "", "-n", "-f", str(configuration), "-i", str(directory / "rsyslog.pid")]
    return Relay(directory, command)


@pytest.mark.needs_program("rsyslogd", "omelasticsearch.so")
def test_rsyslog_sends_what_a_machine_logs(server: ServerProcess, tmp_path: Path) -> None:
    with rsyslog(tmp_path, server.port) as relay:
        for number in range(RECORDS):
            relay.write(3 * 8 + 4, "app[42]", f'grüße "{number}"')
        found = server.await_records('es.index="logs-rsyslog"', RECORDS)
    assert [row["message"] for row in found] == [f'grüße "{number}"' for number in range(RECORDS)]
    assert {(row["namespace"], row["container"], row["severity"]) for row in found} == {("_node", "app", "warn")}
    assert {row["pod"] for row in found} == {row["labels"]["node"] for row in found}
    assert found[0]["attributes"].items() >= {"facility": "daemon", "syslog-tag": "app[42]:"}.items()
    assert not (tmp_path / "errors").exists()
