"""GET and POST /api/v1/query, and the reading routes beside it."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.corpus import records
from tests.reference.templates import pattern_key, shown
from tests.serving import ServerProcess

COUNT = 3_000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, list[dict[str, Any]]]]:
    """A server with records, half of them in Parquet; and the records."""
    made = records(COUNT)
    with ServerProcess(tmp_path_factory.mktemp("filled") / "data") as process:
        _post(process, made[: COUNT // 2])
        process.flush()
        _post(process, made[COUNT // 2 :])
        yield process, made


def _post(process: ServerProcess, half: list[dict[str, Any]]) -> None:
    body = "\n".join(json.dumps(record) for record in half).encode()
    assert process.post(body).json() == {"accepted": len(half), "rejected": []}


Filled = tuple[ServerProcess, list[dict[str, Any]]]


def ndjson(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def newest(made: list[dict[str, Any]]) -> list[str]:
    return [record["message"] for record in reversed(made)]


def test_the_default_limit_cuts_and_the_cursor_goes_on(filled: Filled) -> None:
    server, made = filled
    seen: list[str] = []
    cursor = ""
    for _ in range(COUNT):
        answer = ndjson(server.query("*", **({"cursor": cursor} if cursor else {})))
        ends = [line["@end"] for line in answer if "@end" in line]
        seen += [line["message"] for line in answer if "@end" not in line]
        if not ends:
            break
        assert ends[0]["truncated"] is True
        cursor = ends[0]["cursor"]
    assert seen == newest(made)


def test_a_limit_that_is_asked_for_needs_no_end_line(filled: Filled) -> None:
    server, made = filled
    assert [line["message"] for line in ndjson(server.query("*", limit=7))] == newest(made)[:7]
    assert [line["message"] for line in ndjson(server.query("*", limit=0))] == newest(made)
    ascending = ndjson(server.query("*", limit=0, order="asc"))
    assert [line["message"] for line in ascending] == newest(made)[::-1]


def test_start_is_inclusive_and_end_exclusive(filled: Filled) -> None:
    server, made = filled
    start, end = made[100]["time"], made[2000]["time"]
    first, last = (datetime.fromisoformat(text) for text in (start, end))
    expected = [r["message"] for r in made if first <= datetime.fromisoformat(r["time"]) < last]
    got = [line["message"] for line in ndjson(server.query("*", limit=0, order="asc", start=start, end=end))]
    assert got == expected


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "arrow", "parquet", "text"])
@pytest.mark.parametrize("how", ["parameter", "accept"])
def test_every_format_holds_the_same_rows(filled: Filled, form: str, how: str) -> None:
    server, made = filled
    media_type = {
        "ndjson": "application/x-ndjson",
        "json": "application/json",
        "csv": "text/csv",
        "arrow": "application/vnd.apache.arrow.stream",
        "parquet": "application/vnd.apache.parquet",
        "text": "text/plain",
    }[form]
    params: dict[str, Any] = {"q": "*", "limit": 500}
    headers = {"Accept": f"text/html;q=0.3, {media_type}, */*;q=0.1"} if how == "accept" else {}
    if how == "parameter":
        params["format"] = form
    answer = server.client.get("/api/v1/query", params=params, headers=headers)
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert decoded(form, answer.content) == newest(made)[:500]


def decoded(form: str, content: bytes) -> list[str]:
    """The messages of an answer, by other programs' readers."""
    if form == "ndjson":
        return [json.loads(line)["message"] for line in content.splitlines()]
    if form == "json":
        return [record["message"] for record in json.loads(content)]
    if form == "csv":
        return [row["message"] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]
    if form == "arrow":
        return [str(text) for text in pa.ipc.open_stream(content).read_all()["message"].to_pylist()]
    if form == "parquet":
        return [str(text) for text in pq.read_table(io.BytesIO(content))["message"].to_pylist()]
    return content.decode().splitlines()


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("zstd, gzip", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("br", None),
        ("*", "zstd"),
        ("identity;q=1, gzip;q=0.5", None),
    ],
)
def test_content_encoding_is_negotiated(filled: Filled, accept: str, coding: str | None) -> None:
    server, made = filled
    with server.client.stream(
        "GET", "/api/v1/query", params={"q": "*", "limit": 0}, headers={"Accept-Encoding": accept}
    ) as answer:
        assert answer.headers.get("content-encoding") == coding
        raw = b"".join(answer.iter_raw())
    if coding == "zstd":
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    elif coding == "gzip":
        raw = gzip.decompress(raw)
    assert [json.loads(line)["message"] for line in raw.splitlines()] == newest(made)


@pytest.mark.parametrize(
    "options",
    [
        {"params": {"q": "* | stats count()"}},
        {"json": {"q": "* | stats count()"}},
        {"json": {"q": "* | stats count()", "limit": 5, "start": None}},
        {"data": {"q": "* | stats count()", "order": "asc"}},
        {"params": {"q": "* | stats count()"}, "json": {"order": "asc"}},
        {"content": b'{"q": "* | stats count()"}'},
    ],
)
def test_post_takes_the_same_parameters(filled: Filled, options: dict[str, Any]) -> None:
    server, _ = filled
    assert server.client.post("/api/v1/query", **options).json() == {"count": COUNT}


def test_meta_adds_the_number(filled: Filled) -> None:
    server, _ = filled
    assert [line["_seq"] for line in ndjson(server.query("*", limit=3, meta="true"))] == [
        COUNT - 1,
        COUNT - 2,
        COUNT - 3,
    ]
    assert "_seq" not in ndjson(server.query("*", limit=1))[0]


def test_a_bad_query_says_where(filled: Filled) -> None:
    server, _ = filled
    answer = server.client.get("/api/v1/query", params={"q": "error\n| stats cuont()"})
    assert answer.status_code == 400
    assert answer.json()["position"] == {"line": 2, "column": 9}
    assert "count" in answer.json()["hint"]
    assert "cuont" in answer.json()["error"]
    assert server.client.get("/api/v1/query", params={"q": 'pod=~"("'}).status_code == 400


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limi": 1}, "unknown parameter 'limi'; did you mean 'limit'?"),
        ({"limit": "many"}, "parameter 'limit'"),
        ({"limit": -1}, "parameter 'limit'"),
        ({"order": "up"}, "parameter 'order'"),
        ({"format": "xml"}, "parameter 'format'"),
        ({"start": "yesterday"}, "parameter 'start'"),
        ({"meta": "perhaps"}, "parameter 'meta'"),
        ({"cursor": "nonsense"}, "cursor"),
    ],
)
def test_a_bad_parameter_is_named(filled: Filled, params: dict[str, Any], message: str) -> None:
    server, _ = filled
    answer = server.client.get("/api/v1/query", params=params)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"content": b"[1]"}, "must be a JSON object"),
        ({"content": b"{"}, "no JSON object"),
        ({"content": b"[" * 100_000}, "nested too deeply"),
        ({"content": b'{"q": NaN}'}, "NaN"),
        ({"json": {"q": 5, "limit": []}}, "parameter 'limit'"),
        ({"json": {"q": "*"}, "params": {"q": "*"}}, "in the URL and in the body"),
        ({"content": b"q=a&q=b", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, "given twice"),
        ({"content": b'{"q": "' + b"x" * 2_000_000 + b'"}'}, "over 1048576 bytes"),
    ],
)
def test_a_bad_body_is_explained(filled: Filled, options: dict[str, Any], message: str) -> None:
    server, _ = filled
    answer = server.client.post("/api/v1/query", **options)
    assert answer.status_code in (400, 413)
    assert message in answer.json()["error"]


def test_histogram_counts_every_record(filled: Filled) -> None:
    server, made = filled
    answer = server.client.get("/api/v1/histogram", params={"q": "*", "by": "stream", "buckets": 10}).json()
    assert sum(bucket["count"] for bucket in answer["buckets"]) == COUNT
    assert len(answer["buckets"]) <= 10
    stderr = sum(bucket["by"].get("stderr", 0) for bucket in answer["buckets"])
    assert stderr == sum(record["stream"] == "stderr" for record in made)


def test_values_and_fields_tell_what_there_is(filled: Filled) -> None:
    server, made = filled
    values = server.client.get("/api/v1/values", params={"field": "pod", "prefix": "web"}).json()
    assert {(value["value"], value["count"]) for value in values["values"]} == {
        (pod, sum(record["pod"] == pod for record in made)) for pod in ("web-0", "web-1")
    }
    fields = server.client.get("/api/v1/fields", params={"q": "namespace=shop"}).json()["fields"]
    shop = sum(record["namespace"] == "shop" for record in made)
    assert {"name": "message", "kind": "column", "type": "string", "count": shop} in fields


def test_explain_says_what_is_read_and_why_the_rest_is_not(filled: Filled) -> None:
    server, _ = filled
    answer = server.client.get("/api/v1/explain", params={"q": "cluster=nowhere"}).json()
    assert answer["segments"]["read"] == 0
    assert sum(answer["segments"]["skipped"].values()) == answer["segments"]["all"] > 0
    assert "select" in answer["sql"].lower()


@pytest.mark.parametrize(
    "options",
    [
        {"method": "GET", "params": {"q": "reset", "limit": 7, "analyze": "true"}},
        {"method": "POST", "json": {"q": "reset", "limit": 7, "analyze": True}},
        {"method": "POST", "data": {"q": "reset", "limit": "7", "analyze": "true"}},
        {"method": "POST", "json": {"q": "reset", "limit": 7}, "params": {"analyze": "true"}},
    ],
)
def test_explain_runs_the_query_where_asked_to(filled: Filled, options: dict[str, Any]) -> None:
    server, made = filled
    answer = server.client.request(url="/api/v1/explain", **options).json()
    assert answer["analyze"]["rows"] == 7
    assert 7 <= answer["analyze"]["rows_scanned"] <= 2 * len(made)
    assert answer["remembered"] is answer["analyze"]["remembered"] is False
    assert answer["stages"][0]["stage"] == "catalog"


def test_explain_of_an_answer_that_was_given_says_that_it_is_remembered(filled: Filled) -> None:
    server, _ = filled
    asked = {"q": "reset | stats count() by pod, namespace", "format": "csv"}
    assert server.client.get("/api/v1/explain", params=asked).json()["remembered"] is False
    assert server.client.get("/api/v1/query", params=asked).status_code == 200
    explained = server.client.get("/api/v1/explain", params=asked).json()
    assert explained["remembered"] is True
    assert "analyze" not in explained


@pytest.mark.parametrize("value", ["perhaps", "", "2", "none"])
def test_analyze_is_true_or_false(filled: Filled, value: str) -> None:
    server, _ = filled
    answer = server.client.get("/api/v1/explain", params={"q": "*", "analyze": value})
    assert answer.status_code == 400
    assert "parameter 'analyze'" in answer.json()["error"]
    answer = server.client.post("/api/v1/explain", json={"q": "*", "analyze": [value]})
    assert answer.status_code == 400
    answer = server.client.get("/api/v1/explain", params={"q": "*", "analyse": "true"})
    assert "did you mean 'analyze'?" in answer.json()["error"]
    assert server.client.get("/api/v1/query", params={"q": "*", "analyze": "true"}).status_code == 400


def test_what_is_told_of_records_may_depend_on_a_word(filled: Filled) -> None:
    server, _ = filled
    for path, params in (("explain", {}), ("histogram", {}), ("fields", {}), ("values", {"field": "pod"})):
        answer = server.client.get(f"/api/v1/{path}", params={"q": "error", **params})
        assert answer.status_code == 200, (path, answer.text)


def test_patterns_are_the_same_in_memory_and_in_files(filled: Filled) -> None:
    server, made = filled
    counts = Counter(shown(*pattern_key(record["message"])) for record in made)
    wanted = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    found = ndjson(server.query("* | patterns 1000"))
    assert [(row["pattern"], row["count"]) for row in found] == wanted[:1000]
    explained = server.client.get("/api/v1/explain", params={"q": "* | patterns"}).json()
    assert "template_id" not in explained["sql"]


def test_context_is_the_neighbourhood_in_one_stream(filled: Filled) -> None:
    server, made = filled
    record = made[1500]
    key = ("namespace", "pod", "container")
    own = [number for number, other in enumerate(made) if all(other[k] == record[k] for k in key)]
    place = own.index(1500)
    answer = server.client.get("/api/v1/context", params={"seq": 1500, "before": 3, "after": 4})
    expected = [made[number]["message"] for number in own[place - 3 : place + 5]]
    assert [line["message"] for line in ndjson(answer)] == expected
    missing = server.client.get("/api/v1/context", params={"seq": 10**9})
    assert missing.status_code == 400


def test_streams_come_from_the_catalog(filled: Filled) -> None:
    server, made = filled
    streams = server.client.get("/api/v1/streams").json()["streams"]
    assert {(s["namespace"], s["pod"]): s["records"] for s in streams} == {
        (namespace, pod): sum(record["pod"] == pod for record in made)
        for namespace, pod in {(record["namespace"], record["pod"]) for record in made}
    }
    assert all(stream["first_time"].endswith("Z") and len(stream["first_time"]) == 30 for stream in streams)
    assert min(stream["first_time"] for stream in streams) <= max(stream["last_time"] for stream in streams)


def test_other_formats_tell_in_headers_that_they_are_cut(filled: Filled) -> None:
    server, made = filled
    first = server.query("*", format="json")
    assert len(first.json()) == 1000
    assert first.headers["logstore-truncated"] == "true"
    second = server.query("*", format="json", cursor=first.headers["logstore-cursor"])
    assert [record["message"] for record in second.json()] == newest(made)[1000:2000]
    whole = server.query("namespace=payments", format="json", limit=0)
    assert "logstore-truncated" not in whole.headers


def test_a_field_that_is_nearly_a_column_is_hinted_at(filled: Filled) -> None:
    server, _ = filled
    assert 'did you mean "namespace"?' in server.query("namespce=shop").headers["logstore-hint"]
    assert "logstore-hint" not in server.query("namespace=shop status=500").headers
