"""`logq histogram` as drawn, and the lists that `fields`, `values`, `streams`, `explain` give."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from logq.explain import shown
from logq.histogram import drawn
from logq.terminal import safe, width
from tests.logq.programs import logq, on_terminal
from tests.logq.standin import Prepared, StandIn

BUCKETS: list[dict[str, Any]] = [
    {"time": "2026-11-24T09:00:00.000000000Z", "count": 80, "by": {"info": 40, "error": 40}},
    {"time": "2026-11-24T09:05:00.000000000Z", "count": 0, "by": {}},
    {"time": "2026-11-24T09:10:00.000000000Z", "count": 1, "by": {"": 1}},
    {"time": "2026-11-24T09:15:00.000000000Z", "count": 45, "by": {"warn": 45}},
]


def serve(standin: StandIn, **answers: Any) -> None:
    standin.answer = lambda path, params: Prepared([json.dumps(answers[path.rpartition("/")[2]]).encode()])


def test_bars_are_in_proportion_and_worst_first() -> None:
    assert drawn(BUCKETS, 66, colours=False) == [
        "2026-11-24 09:00Z  ████████████████████████  80  error 40  info 40",
        "2026-11-24 09:05Z                             0",
        "2026-11-24 09:10Z  ▎                          1",
        "2026-11-24 09:15Z  █████████████▌            45  warn 45",
    ]
    assert drawn([], 80, colours=False) == []


def test_colours_split_a_bar() -> None:
    first = drawn(BUCKETS, 66, colours=True)[0]
    assert "\x1b[31m████████████\x1b[0m\x1b[32m████████████\x1b[0m" in first


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["", "info", "error", "a\x1b[2J\nb"]), st.integers(0, 10**9), max_size=4),
        min_size=1,
        max_size=10,
    ),
    st.integers(20, 200),
    st.booleans(),
)
def test_no_line_is_wider_than_the_terminal(parts: list[dict[str, int]], size: int, colours: bool) -> None:
    buckets = [{"time": "2026-11-24T09:00:00.000000000Z", "count": sum(part.values()), "by": part} for part in parts]
    lines = drawn(buckets, size, colours=colours)
    assert len(lines) == len(parts)
    assert all(width(line) <= max(size, 45) and "\n" not in line and "\x1b[2J" not in line for line in lines)
    for line, bucket in zip(lines, buckets, strict=True):
        assert f"{bucket['count']:,}" in line
        assert ("█" in line or any(part in line for part in "▏▎▍▌▋▊▉")) == (bucket["count"] > 0)


def test_histogram_command(standin: StandIn, tmp_path: Path) -> None:
    serve(standin, histogram={"interval_s": 300, "buckets": BUCKETS})
    done = logq(["histogram", "timeout", "--since", "20m", "--interval", "5m"], tmp_path, standin.url)
    assert [json.loads(line) for line in done.out.splitlines()] == BUCKETS
    assert standin.requests[-1][1] == {"q": "timeout", "start": "-20m", "interval": "5m", "by": "severity"}
    status, screen = on_terminal(["histogram", "--since", "20m"], tmp_path, standin.url, columns=66)
    assert (status, len(screen.splitlines())) == (0, 4)
    assert max(map(width, screen.splitlines())) <= 66
    serve(standin, histogram={"interval_s": 300, "buckets": BUCKETS[1:2]})
    assert logq(["histogram", "x"], tmp_path, standin.url).status == 1


def test_fields_and_values(standin: StandIn, tmp_path: Path) -> None:
    fields = {"fields": [{"name": "pod", "kind": "column", "type": "VARCHAR", "count": 7}]}
    values = {"values": [{"value": "web-1", "count": 5}, {"value": 404, "count": 2}], "truncated": True}
    serve(standin, fields=fields, values=values)
    done = logq(["fields"], tmp_path, standin.url)
    assert (done.status, json.loads(done.out)) == (0, fields["fields"][0])
    done = logq(["values", "pod", "level:error", "--prefix", "w", "-o", "raw"], tmp_path, standin.url)
    assert (done.status, done.out) == (0, b"web-1\n404\n")
    assert standin.requests[-1][1] == {"q": "level:error", "field": "pod", "prefix": "w", "start": "-1h"}
    done = logq(["values", "pod", "-o", "table"], tmp_path, standin.url)
    assert done.out == b"value  count\nweb-1      5\n404        2\n"
    assert "there are more values" in done.err
    assert logq(["values"], tmp_path, standin.url).status == 2


def test_streams_are_narrowed_here(standin: StandIn, tmp_path: Path) -> None:
    streams = [
        {"cluster": "c", "namespace": namespace, "pod": "web-1", "container": "app", "labels": {}, "records": 3}
        for namespace in ("shop", "pay")
    ]
    serve(standin, streams={"streams": streams})
    done = logq(["streams", "-n", "pay"], tmp_path, standin.url)
    assert [json.loads(line)["namespace"] for line in done.out.splitlines()] == ["pay"]
    assert logq(["streams", "-n", "none"], tmp_path, standin.url).status == 1


def test_explain(standin: StandIn, tmp_path: Path) -> None:
    answer = {
        "sql": "select *\nfrom records",
        "segments": {"all": 1200, "read": 3, "skipped": {"time": 1197}},
        "row_groups": {"all": 9},
        "bytes": 123456,
    }
    serve(standin, explain=answer)
    assert json.loads(logq(["explain", "x"], tmp_path, standin.url).out) == answer
    done = logq(["explain", "x", "-o", "table"], tmp_path, standin.url)
    assert standin.requests[-1][1] == {"q": "x", "start": "-1h"}
    assert done.out.decode().splitlines() == [
        "reads       3 of 1,200 segments, 0 of 9 row groups, at most 123 kB",
        "",
        "sql",
        "select *",
        "from records",
    ]


EXPLAINED: dict[str, Any] = {
    "sql": "select\x1b[2J",
    "segments": {"all": 4, "read": 1, "skipped": {"time": 2, "index": 1}},
    "row_groups": {"all": 9, "read": 1, "skipped": {"words": 8}},
    "bytes": 1_234_567,
    "buffered_records": 1,
    "stages": [
        {
            "stage": "catalog",
            "unit": "segments",
            "in": 4,
            "out": 2,
            "skipped": {"time": 2},
            "reason": "asked for: time from 2026-11-24T09:00:00.000000000Z",
        },
        {
            "stage": "words",
            "unit": "row_groups",
            "in": 9,
            "out": 1,
            "skipped": {"words": 8},
            "reason": "every match has: 4711, and \x1b[2Jx",
        },
    ],
    "remembered": True,
    "analyze": {
        "rows": 1,
        "ms": 1234.56,
        "stages": [{"stage": "row_groups", "ms": 0.04}, {"stage": "sql", "ms": 1200.0, "cpu_ms": 2000.0}],
        "slices": {"all": 3, "read": 2, "narrowed": 1, "direct": 1, "halved": 0},
        "row_groups": 2,
        "bytes": 20_500,
        "rows_scanned": 16_384,
        "remembered": True,
    },
}


def test_explain_analyze_in_a_pipe_is_the_server_s_answer(standin: StandIn, tmp_path: Path) -> None:
    serve(standin, explain=EXPLAINED)
    done = logq(["explain", "--analyze", "4711", "--since", "2h"], tmp_path, standin.url)
    assert (done.status, json.loads(done.out)) == (0, EXPLAINED)
    assert standin.requests[-1][1] == {"q": "4711", "start": "-2h", "analyze": "true"}


def test_explain_analyze_on_a_terminal(standin: StandIn, tmp_path: Path) -> None:
    serve(standin, explain=EXPLAINED)
    status, screen = on_terminal(
        ["explain", "--analyze", "4711", "--since", "2h", "--color", "never"], tmp_path, standin.url, columns=72
    )
    assert status == 0
    assert screen.replace("\r\n", "\n").split("\n") == [
        "reads       1 of 4 segments, 1 of 9 row groups, at most 1.2 MB, 1",
        "            buffered record",
        "remembered  yes: asked again, nothing is read",
        "",
        "stage    in            out  why",
        "catalog  4 segments      2  skips time 2; asked for: time from",
        "                            2026-11-24T09:00:00.000000000Z",
        "words    9 row groups    1  skips words 8; every match has: 4711, and",
        "                            \\e[2Jx",
        "",
        "analyzed    1 row in 1,234.6 ms; read 2 row groups, 20 kB, 16,384",
        "            records; 2 of 3 slices of time, 1 for times alone first, 1",
        "            without SQL",
        "  row groups      0.0 ms",
        "  sql         1,200.0 ms  2,000.0 ms CPU",
        "",
        "sql",
        "select\\e[2J",
        "",
    ]


def test_an_answer_that_is_remembered_in_part_says_so() -> None:
    lines = list(shown({**EXPLAINED, "remembered": False, "remembered_segments": 3}, 72, colours=False))
    assert "remembered  in part: 3 segments would not be read again" in lines
    assert "remembered  no" in list(shown({**EXPLAINED, "remembered": False}, 72, colours=False))


@given(st.text(max_size=200), st.integers(20, 200), st.booleans())
def test_no_reason_is_wider_than_the_terminal(reason: str, size: int, colours: bool) -> None:
    stage = {"stage": "words", "unit": "row_groups", "in": 9, "out": 9, "skipped": {}, "reason": reason}
    lines = list(shown({"sql": "s", "stages": [stage]}, size, colours=colours))
    assert all(width(line) <= max(size, 60) and "\n" not in line and "\x1b[2J" not in line for line in lines)
    told = "".join(line for line in lines[3:-3]).replace(" ", "")
    if not colours:
        assert safe(reason, colours=False).replace(" ", "") in told


def test_context_marks_the_record(standin: StandIn, tmp_path: Path) -> None:
    rows = b"".join(
        json.dumps({"time": "2026-11-24T09:00:00.000000000Z", "severity": "", "message": f"m{n}", "_seq": n}).encode()
        + b"\n"
        for n in (6, 7, 8)
    )
    standin.answer = lambda path, params: Prepared([rows])
    done = logq(["context", "7", "-B", "1", "-A", "1", "-o", "table"], tmp_path, standin.url)
    assert [line[0] for line in done.out.decode().splitlines()] == [" ", ">", " "]
    assert standin.requests[-1] == ("/api/v1/context", {"seq": "7", "before": "1", "after": "1"})
    assert logq(["context", "x"], tmp_path, standin.url).status == 2
