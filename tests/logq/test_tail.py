"""`logq tail`: over lost connections each record once, as the cursor promises."""

import json
import random
import threading
from pathlib import Path

import pytest

from tests.logq.programs import logq, start
from tests.logq.standin import Prepared, StandIn


def line(number: int) -> bytes:
    return (
        json.dumps({"time": "2026-11-24T09:30:00.000000000Z", "severity": "", "message": f"m{number}"}).encode() + b"\n"
    )


def cursor(number: int) -> bytes:
    return json.dumps({"@tail": {"cursor": str(number), "missed": 0}}).encode() + b"\n"


@pytest.mark.parametrize("seed", range(6))
def test_connections_lost_at_any_byte(standin: StandIn, tmp_path: Path, seed: int) -> None:
    """The stand-in sends records from the cursor on, cursors now and then, and drops anywhere."""
    dice = random.Random(seed)
    total = 300

    def answer(path: str, params: dict[str, str]) -> Prepared:
        if params.get("backlog") == "0":
            return Prepared([cursor(0)], is_cut=True)
        first = int(params["cursor"])
        body = cursor(first)
        last = min(total, first + dice.randrange(1, 80))
        for number in range(first, last):
            body += line(number)
            if dice.random() < 0.1:
                body += dice.choice([cursor(number + 1), b"\n"])
        if last == total:
            return Prepared([body + cursor(total)], is_cut=True)
        cut = dice.randrange(len(body) // 2, len(body))
        split = dice.randrange(cut + 1)
        return Prepared([body[:split], body[split:cut]], is_cut=True)

    standin.answer = answer
    done = logq(["tail", "*", "--limit", str(total)], tmp_path, standin.url)
    assert done.status == 0, done.err
    assert done.out == b"".join(map(line, range(total)))


def test_a_first_connection_that_fails_is_an_error(tmp_path: Path) -> None:
    done = logq(["tail", "*"], tmp_path, "http://127.0.0.1:1")
    assert (done.status, "cannot reach" in done.err) == (2, True)


def test_a_bad_query_is_an_error_with_its_place(standin: StandIn, tmp_path: Path) -> None:
    error = {"error": "unexpected )", "position": {"line": 1, "column": 3}}
    standin.answer = lambda path, params: Prepared([json.dumps(error).encode()], status=400)
    done = logq(["tail", "a )"], tmp_path, standin.url)
    assert done.err.splitlines() == ["logq: unexpected )", "  a )", "    ^"]


def test_records_come_as_they_are_sent_and_missed_ones_are_told(standin: StandIn, tmp_path: Path) -> None:
    hold = threading.Event()
    missed = json.dumps({"@tail": {"cursor": "9", "missed": 1234}}).encode() + b"\n"
    numbered = line(1)[:-2] + b',"_seq":1}\n' + line(2)[:-2] + b',"_seq":8}\n'

    def answer(path: str, params: dict[str, str]) -> Prepared:
        if path == "/api/v1/query":
            return Prepared([numbered])
        return Prepared([b"\n", cursor(7)] if params.get("backlog") else [b"\n", line(2), missed], hold=hold)

    standin.answer = answer
    with start(["tail", "*", "--backlog", "5m"], tmp_path, standin.url) as process:
        assert process.stdout is not None and process.stderr is not None
        assert [process.stdout.readline() for _ in range(2)] == [line(1), line(2)]
        assert b"skipped 1,234 records" in process.stderr.readline()
        asked = {"q": "*", "meta": "true", "start": "-5m", "order": "asc", "limit": "0"}
        assert [params for _, params in standin.requests] == [
            {"q": "*", "backlog": "0"},
            asked,
            {"q": "*", "cursor": "7"},
        ]
        process.kill()
    hold.set()


def test_backlog_is_a_number_or_a_duration(tmp_path: Path) -> None:
    done = logq(["tail", "*", "--backlog", "some"], tmp_path, "http://127.0.0.1:1")
    assert (done.status, "--backlog: cannot read 'some'" in done.err) == (2, True)
