"""`logq QUERY`: what is asked, what is written where, and how it ends. Answers are prepared, byte for byte."""

import csv
import io
import json
import signal
from pathlib import Path

import pytest

from tests.logq.programs import logq, on_terminal, start
from tests.logq.standin import Prepared, StandIn

RECORD = (
    b'{"time":"2026-11-24T09:30:00.123456789Z","cluster":"default","namespace":"shop","pod":"web-1",'
    b'"container":"app","stream":"stdout","severity":"%s","message":"%s"}\n'
)
ROWS = RECORD % (b"error", b"disk \\u001b[2J full\\n") + RECORD % (b"info", "grün \\ud83d\\ude00".encode())


def test_a_pipe_gets_the_servers_bytes(standin: StandIn, tmp_path: Path) -> None:
    standin.answer = lambda path, params: Prepared([ROWS[:100], ROWS[100:301], ROWS[301:]])
    done = logq(["disk"], tmp_path, standin.url)
    assert (done.status, done.out) == (0, ROWS)
    assert standin.requests == [("/api/v1/query", {"q": "disk", "start": "-1h", "format": "ndjson"})]
    assert done.err == "logq: looking back 1h; --since 1d for more, --since all for everything\n"


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["a", "b", "--since", "2d", "--until", "1h"], {"q": "a b", "start": "-48h", "end": "-1h"}),
        (["a", "--since", "all", "--limit", "0", "--order", "asc"], {"q": "a", "limit": "0", "order": "asc"}),
        (["-n", "shop,pay", "a", "--since=all"], {"q": 'namespace in ("shop", "pay") and (a)'}),
        (["--since", "all", "--", "tail"], {"q": "tail"}),
        (["--since", "all", "--", "-level:debug"], {"q": "-level:debug"}),
        (
            ["a", "--until", "2026-11-24T10:00:00Z"],
            {"q": "a", "start": "2026-11-24T09:00:00.000000000Z", "end": "2026-11-24T10:00:00Z"},
        ),
        (["a", "--meta", "--cursor", "7", "--since", "all"], {"q": "a", "meta": "true", "cursor": "7"}),
    ],
)
def test_what_is_asked(standin: StandIn, tmp_path: Path, arguments: list[str], asked: dict[str, str]) -> None:
    standin.answer = lambda path, params: Prepared([ROWS])
    assert logq(arguments, tmp_path, standin.url).status == 0
    assert standin.requests[-1] == ("/api/v1/query", {**asked, "format": "ndjson"})


def test_nothing_found_is_1(standin: StandIn, tmp_path: Path) -> None:
    for output, written in {"ndjson": b"", "raw": b"", "json": b"[]\n", "table": b""}.items():
        done = logq(["x", "-o", output, "--since", "all"], tmp_path, standin.url)
        assert (done.status, done.out, done.err) == (1, written, "")


def test_formats(standin: StandIn, tmp_path: Path) -> None:
    standin.answer = lambda path, params: Prepared([ROWS])
    outputs = {
        name: logq(["x", "-o", name, "--since", "all"], tmp_path, standin.url).out
        for name in ("ndjson", "raw", "json", "table")
    }
    assert outputs["ndjson"] == ROWS
    assert outputs["raw"] == "disk \x1b[2J full\n\ngrün 😀\n".encode()
    assert [json.dumps(row) for row in json.loads(outputs["json"])] == [
        json.dumps(json.loads(line)) for line in ROWS.splitlines()
    ]
    assert outputs["table"].decode().splitlines() == [
        "2026-11-24T09:30:00.123Z  ERROR  shop/web-1/app  disk \\e[2J full\\n",
        "2026-11-24T09:30:00.123Z  INFO   shop/web-1/app  grün 😀",
    ]


def test_rows_of_pipes_are_a_table(standin: StandIn, tmp_path: Path) -> None:
    rows = [{"pod": "web-1", "n": 1234}, {"pod": "日本", "n": 5}, {"pod": None, "n": 17, "x": {"a": [1]}}]
    standin.answer = lambda path, params: Prepared([b"".join(json.dumps(row).encode() + b"\n" for row in rows)])
    done = logq(["* | stats count() as n by pod", "-o", "table"], tmp_path, standin.url)
    assert done.out.decode().splitlines() == [
        "pod       n  x",
        "web-1  1234",
        "日本      5",
        '         17  {"a":[1]}',
    ]


def test_csv_passes_and_its_rows_decide_the_status(standin: StandIn, tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["message"], ['two\nlines "x"'], ["three"]])
    standin.answer = lambda path, params: Prepared([text.getvalue().encode()])
    done = logq(["x", "-o", "csv"], tmp_path, standin.url)
    assert (done.status, done.out) == (0, text.getvalue().encode())
    assert standin.requests[-1][1]["format"] == "csv"
    standin.answer = lambda path, params: Prepared([b"message\r\n"])
    assert logq(["x", "-o", "csv"], tmp_path, standin.url).status == 1


def test_an_answer_cut_by_the_default_limit_says_so(standin: StandIn, tmp_path: Path) -> None:
    end = b'{"@end": {"truncated": true, "cursor": "4711"}}\n'
    standin.answer = lambda path, params: Prepared([ROWS, end])
    done = logq(["x", "--since", "all"], tmp_path, standin.url)
    assert (done.status, done.out) == (0, ROWS)
    assert done.err == "logq: cut after 2 rows; --limit 0 for all, or go on with --cursor 4711\n"


def test_an_answer_that_fails_midway_is_an_error(standin: StandIn, tmp_path: Path) -> None:
    error = b'{"@error": {"error": "the query ran longer than 60 s (query_timeout)"}}\n'
    standin.answer = lambda path, params: Prepared([ROWS, error], is_cut=True)
    done = logq(["x"], tmp_path, standin.url)
    assert (done.status, done.out) == (2, ROWS)
    assert "ran longer than 60 s (query_timeout)" in done.err
    standin.answer = lambda path, params: Prepared([ROWS], is_cut=True)
    done = logq(["x"], tmp_path, standin.url)
    assert (done.status, done.out) == (2, ROWS)
    assert "the connection broke before the answer was complete" in done.err


@pytest.mark.parametrize("flags", [[], ["-n", "shop"]])
def test_a_bad_query_shows_the_place(standin: StandIn, tmp_path: Path, flags: list[str]) -> None:
    query = 'level:error "日本"\n| stats cuont() by pod'

    def answer(path: str, params: dict[str, str]) -> Prepared:
        before, _, _ = params["q"].partition("cuont")
        position = {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n")}
        error = {"error": 'unknown function "cuont"', "position": position, "hint": 'did you mean "count"?'}
        return Prepared([json.dumps(error).encode()], status=400)

    standin.answer = answer
    done = logq([query, "--since", "1h", *flags], tmp_path, standin.url)
    assert (done.status, done.out) == (2, b"")
    assert done.err.splitlines() == [
        'logq: unknown function "cuont"',
        "  | stats cuont() by pod",
        "          ^",
        '  hint: did you mean "count"?',
    ]


def test_refusals_say_what_to_do(standin: StandIn, tmp_path: Path) -> None:
    standin.answer = lambda path, params: Prepared([b'{"error": "a token is needed"}'], status=401)
    done = logq(["x", "--since", "1h"], tmp_path, standin.url)
    assert (done.status, done.err.splitlines()) == (
        2,
        ["logq: a token is needed", "  name a token with --token, LOGQ_TOKEN or a context"],
    )
    standin.answer = lambda path, params: Prepared([b"<html>"], status=404)
    done = logq(["x", "--since", "1h"], tmp_path, standin.url)
    assert "answered 404" in done.err
    assert "is it a logstore server?" in done.err


def test_no_server_says_where_and_how_to_start_one(tmp_path: Path) -> None:
    done = logq(["x", "--since", "1h"], tmp_path, "http://127.0.0.1:1")
    assert (done.status, done.out) == (2, b"")
    assert "cannot reach http://127.0.0.1:1: connection refused" in done.err
    assert "logstore serve" in done.err


def test_usage_errors(tmp_path: Path) -> None:
    unknown = logq(["x", "--sinec", "1h"], tmp_path, "")
    assert (unknown.status, unknown.err) == (
        2,
        "logq: unknown option --sinec\n  to search for it: logq -- '--sinec'\n",
    )
    assert logq(["x", "--limit", "many"], tmp_path, "").status == 2
    assert "cannot read 'yesterday' as a time" in logq(["x", "--since", "yesterday"], tmp_path, "").err


def test_a_reader_that_leaves_is_no_error(standin: StandIn, tmp_path: Path) -> None:
    standin.answer = lambda path, params: Prepared([ROWS * 1000] * 50)
    with start(["x"], tmp_path, standin.url) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert b"rror" not in process.stderr.read().replace(b"level:error", b"")
        assert process.wait(10) == 0


def test_interrupted_is_130_and_quiet(standin: StandIn, tmp_path: Path) -> None:
    import threading

    hold = threading.Event()
    standin.answer = lambda path, params: Prepared([ROWS], hold=hold)
    with start(["x", "--since", "all"], tmp_path, standin.url) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b""
    hold.set()


def test_a_terminal_gets_colours_and_a_readable_layout(standin: StandIn, tmp_path: Path) -> None:
    standin.answer = lambda path, params: Prepared([ROWS])
    status, screen = on_terminal(["x", "--since", "all"], tmp_path, standin.url)
    assert status == 0
    dim, reset = "\x1b[2m", "\x1b[0m"
    assert screen.splitlines() == [
        f"{dim}2026-11-24T09:30:00.123Z{reset}  \x1b[31mERROR{reset}  {dim}shop/web-1/app{reset}  "
        f"\x1b[31mdisk \\e[2J full\\n{reset}",
        f"{dim}2026-11-24T09:30:00.123Z{reset}  \x1b[32mINFO {reset}  {dim}shop/web-1/app{reset}  grün 😀",
    ]
    status, screen = on_terminal(["x", "--since", "all"], tmp_path, standin.url, NO_COLOR="1")
    assert "\x1b" not in screen
    status, screen = on_terminal(["x", "-o", "parquet"], tmp_path, standin.url)
    assert (status, "binary" in screen) == (2, True)


def test_ctrl_c_on_a_terminal(standin: StandIn, tmp_path: Path) -> None:
    import threading

    hold = threading.Event()
    standin.answer = lambda path, params: Prepared([ROWS], hold=hold)
    status, screen = on_terminal(["x", "--since", "all"], tmp_path, standin.url, keys=b"\x03")
    hold.set()
    assert status == 130
    assert "Traceback" not in screen


def test_long_work_shows_on_a_terminal_and_leaves_no_trace(standin: StandIn, tmp_path: Path) -> None:
    import threading

    hold = threading.Event()

    def answer(path: str, params: dict[str, str]) -> Prepared:
        hold.wait(1.6)
        return Prepared([ROWS])

    standin.answer = answer
    _, screen = on_terminal(["x", "--since", "all"], tmp_path, standin.url)
    before, _, after = screen.partition("\r\x1b[K\x1b[2m2026")
    assert "waiting for the server 1 s" in before
    assert "waiting" not in after


def test_a_long_query_is_posted(standin: StandIn, tmp_path: Path) -> None:
    query = " or ".join(f"word{number}" for number in range(3000))
    done = logq([query, "--since", "all"], tmp_path, standin.url)
    assert done.status == 0  # the stand-in takes it for logs; what matters is what it was sent
    assert standin.posted[0].content_type == "application/x-www-form-urlencoded"
    assert standin.posted[0].body.startswith(b"q=word0+or+word1")
