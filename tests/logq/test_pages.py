"""`logq logs` of more lines than the server can sort in its memory: page by page, all of them, in order."""

import json
from pathlib import Path

import pytest

from tests.logq.programs import logq
from tests.logq.standin import Prepared, StandIn

LINES = 2_345
PAGE = 1_000
STREAM = {"cluster": "c", "namespace": "n", "pod": "big", "container": "app", "labels": {}, "last_time": "2026"}


def row(number: int) -> bytes:
    return (
        json.dumps({"time": "2026-11-24T09:30:00.000000000Z", "severity": "", "message": f"m{number}"}).encode() + b"\n"
    )


def short_of_memory(path: str, params: dict[str, str]) -> Prepared:
    """Refuses whatever is asked for with a limit; gives pages of the contract's default size."""
    if path == "/api/v1/streams":
        return Prepared([json.dumps({"streams": [STREAM]}).encode()])
    if "count()" in params["q"]:
        return Prepared([b'{"pieces":0}\n'])
    if "limit" in params:
        return Prepared([b'{"error": "more than 32 MiB of memory (query_memory)"}'], status=422)
    first = int(params.get("cursor", "0"))
    numbers = range(LINES) if params["order"] == "asc" else range(LINES - 1, -1, -1)
    body = b"".join(map(row, numbers[first : first + PAGE]))
    if first + PAGE < LINES:
        body += json.dumps({"@end": {"truncated": True, "cursor": str(first + PAGE)}}).encode() + b"\n"
    return Prepared([body])


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ([], range(LINES)),
        (["--timestamps"], range(LINES)),
        (["--tail", "1500"], range(LINES - 1500, LINES)),
        (["--tail", "1000"], range(LINES - 1000, LINES)),
        (["--tail", "9999"], range(LINES)),
    ],
)
def test_all_lines_come_in_pages(standin: StandIn, tmp_path: Path, flags: list[str], wanted: range) -> None:
    standin.answer = short_of_memory
    done = logq(["logs", "big", *flags], tmp_path, standin.url)
    assert (done.status, done.err) == (0, "")
    assert [line.split()[-1] for line in done.out.decode().splitlines()] == [f"m{number}" for number in wanted]


def test_pages_that_do_not_go_on_are_an_error(standin: StandIn, tmp_path: Path) -> None:
    end = b'{"@end": {"truncated": true, "cursor": null}}\n'

    def answer(path: str, params: dict[str, str]) -> Prepared:
        prepared = short_of_memory(path, params)
        return (
            prepared
            if prepared.status == 422 or "count()" in params.get("q", "") or path != "/api/v1/query"
            else Prepared([row(0), end])
        )

    standin.answer = answer
    done = logq(["logs", "big"], tmp_path, standin.url)
    assert (done.status, done.out, "no cursor" in done.err) == (2, b"m0\n", True)
