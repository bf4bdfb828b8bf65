"""Every error has one shape; health, metrics and pages."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving import ServerProcess

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nothing", 404, "there is no /nothing"),
        ("GET", "/api/v1/qury", 404, "did you mean /api/v1/query?"),
        ("GET", "/api/v1/flush", 405, "GET is not allowed on /api/v1/flush; use POST"),
        ("DELETE", "/api/v1/query", 405, "DELETE is not allowed on /api/v1/query; use GET or POST"),
        ("PUT", "/api/v1/logs", 405, "use GET or POST"),
        ("POST", "/api/v1/tail", 405, "use GET"),
        ("HEAD", "/api/v1/tail", 405, ""),
        ("GET", "/ui/nothing.js", 404, "/ui/nothing.js"),
        ("GET", "/api/v1/streams?x=1", 400, "unknown parameter 'x'"),
        ("POST", "/api/v1/flush?x=1", 400, "unknown parameter 'x'"),
        ("GET", "/api/v1/values", 400, "parameter 'field' is missing"),
        ("GET", "/api/v1/context?seq=a", 400, "parameter 'seq'"),
        ("GET", "/api/v1/histogram?buckets=0", 400, "parameter 'buckets'"),
        ("GET", "/api/v1/histogram?interval=often", 400, "parameter 'interval'"),
        ("GET", "/api/v1/query?q=%ff", 400, "UTF-8"),
    ],
)
def test_errors_are_objects(shared: ServerProcess, method: str, path: str, status: int, message: str) -> None:
    answer = shared.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    if method != "HEAD":
        assert message in answer.json()["error"]
    if status == 405:
        assert answer.headers["allow"]


def test_health(shared: ServerProcess) -> None:
    assert shared.client.get("/healthz").text == "ok\n"
    assert shared.client.get("/readyz").json() == {"status": "ready"}
    assert shared.client.head("/readyz").status_code == 200


def test_metrics_count_what_happened(shared: ServerProcess) -> None:
    before = metrics(shared)
    shared.post(b'{"message":"a"}\n{"message":"b"}\nnonsense\n')
    shared.post(b"nonsense")
    shared.query("*")
    shared.client.get("/api/v1/query", params={"q": "|"})
    shared.flush()
    after = metrics(shared)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown("logstore_accepted_records_total") == 2
    assert grown('logstore_ingest_records_total{protocol="native"}') == 2
    assert grown('logstore_ingest_bytes_total{protocol="native"}') == 41
    assert grown('logstore_ingest_records_rejected_total{protocol="native",reason="no_json"}') == 1
    assert grown('logstore_ingest_requests_refused_total{protocol="native",reason="invalid"}') == 1
    assert grown('logstore_queries_total{outcome="ok"}') == 1
    assert grown('logstore_queries_total{outcome="invalid"}') == 1
    assert grown("logstore_wal_sync_seconds_count") >= 1
    assert grown("logstore_wal_bytes_total") > 0
    assert grown("logstore_flushed_records_total") >= 2
    assert grown('logstore_http_requests_total{route="/api/v1/logs",status="200"}') == 1
    assert grown('logstore_http_requests_total{route="/api/v1/logs",status="400"}') == 1
    assert grown("logstore_ingest_seconds_count") >= 1
    assert after["logstore_ingest_held_bytes"] == 0
    assert after["logstore_disk_free_bytes"] > 0
    assert "process_resident_memory_bytes" in after


def test_metrics_tell_which_answers_came_from_memory(shared: ServerProcess) -> None:
    shared.post(b'{"message":"asked twice"}')

    def ask() -> str:
        answer = shared.client.get("/api/v1/query", params={"q": "twice | stats count() as n"})
        return answer.raise_for_status().text

    first, before = ask(), metrics(shared)
    assert ask() == first
    after = metrics(shared)
    name = "logstore_query_answers_remembered_total"
    assert after[name] == before[name] + 1
    assert after["logstore_query_answers_bytes"] > 0
    shared.post(b'{"message":"twice more"}')
    assert ask() != first
    assert metrics(shared)[name] == after[name]


def test_metrics_tell_what_is_held_of_segments_and_how_often_it_was_read(shared: ServerProcess) -> None:
    shared.post(b'{"message":"heldword 4711"}')
    shared.flush()

    def ask(word: str) -> dict[str, float]:
        shared.client.get("/api/v1/query", params={"q": f"{word} | fields message"}).raise_for_status()
        return metrics(shared)

    first = ask("heldword")
    assert first["logstore_index_cache_segments"] >= 1
    assert first["logstore_index_cache_bytes"] > 0
    assert first["logstore_index_loads_total"] >= 1
    again = ask("4711")
    assert again["logstore_index_loads_total"] == first["logstore_index_loads_total"]
    assert "logstore_footer_cache_segments" in again


def test_indexes_are_in_memory_before_anything_is_asked(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        server.post(b'{"message":"request 4711"}')
        server.flush()
        server.await_metric("logstore_index_cache_segments 1.0")
    with ServerProcess(tmp_path / "data") as server:
        server.await_metric("logstore_index_cache_segments 1.0")


def test_metrics_tell_which_segments_were_not_read_again(shared: ServerProcess) -> None:
    shared.post(b'{"message":"thrice"}')
    shared.flush()

    def grown() -> tuple[float, float]:
        shared.post(b'{"message":"thrice"}')
        shared.query("thrice | stats count() as n by level")
        found = metrics(shared)
        return found["logstore_query_parts_remembered_total"], found["logstore_query_parts_bytes"]

    first, second, third = grown(), grown(), grown()
    assert first[0] == second[0] < third[0]
    assert first[1] < second[1]


def test_a_file_that_cannot_be_read_is_named_by_the_answer_and_the_log_and_counted(
    server: Callable[..., ServerProcess],
) -> None:
    process = server()
    for namespace in ("shop", "bank"):
        process.post(b'{"message":"it came"}\n' * 9, params={"namespace": namespace})
    process.flush()
    (file,) = (process.data / "segments").rglob("namespace=shop/**/*.parquet")
    file.write_bytes(b"something else")
    answer = process.client.get("/api/v1/query", params={"q": "it came | fields message"})
    told = answer.json()["error"]
    assert answer.status_code == 500
    assert told.startswith(f"{file} cannot be read: ")
    assert "logstore check" in told
    assert str(file) in process.log_tail()
    assert metrics(process)['logstore_queries_total{outcome="damaged"}'] == 1
    assert process.query("namespace=bank | stats count() as n").json() == {"n": 9}


def metrics(server: ServerProcess) -> dict[str, float]:
    lines = server.client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_every_metric_is_documented_as_the_server_tells_it(shared: ServerProcess) -> None:
    text = shared.client.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (logstore_\S+) (\w+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (logstore_\S+) (.+)$", text, re.MULTILINE))
    kinds = {name: kind for name, kind in kinds.items() if not name.endswith("_created")}
    rows = re.findall(r"^\| `(logstore_\w+)` \| (\w+) \| (.+) \|$", (DOCS / "operations.md").read_text(), re.MULTILINE)
    documented = {name: (kind, text) for name, kind, text in rows}
    for name, kind in kinds.items():
        assert documented.get(name) == (kind, helps[name]), name


def test_every_route_is_described_and_documented(shared: ServerProcess) -> None:
    description = shared.client.get("/openapi.json").json()
    text = (DOCS / "http.md").read_text()
    routes = set(description["paths"])
    assert {"/api/v1/logs", "/api/v1/query", "/api/v1/tail", "/api/v1/flush", "/metrics"} <= routes
    for path in routes:
        assert f"{path}`" in text or f"{path} " in text or f"{path}\n" in text, path
    for path, methods in description["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])
                assert f"`{parameter['name']}`" in text or parameter["name"] in text, (path, parameter["name"])


@pytest.mark.parametrize("path", ["/", "/docs", "/ui/app.js", "/ui/style.css", "/ui/docs.js"])
def test_pages_come_with_a_strict_policy_and_a_tag(shared: ServerProcess, path: str) -> None:
    page = shared.client.get(path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    again = shared.client.get(path, headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "http://" not in page.text.replace("http://127.0.0.1", "").replace("http://www.w3.org", "")
    assert "https://" not in page.text
