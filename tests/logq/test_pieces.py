"""`logq push --unwrap`: no batch ends between two pieces of one line."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from logq.feed import Run, in_whole_lines
from logq.pieces import whole
from tests.logq.programs import logq, start
from tests.logq.standin import StandIn
from tests.serving import ServerProcess

TIME = "2026-03-01T12:00:00.1Z"


def cri(tag: str, text: str, stream: str = "stdout") -> bytes:
    return f"{TIME} {stream} {tag} {text}\n".encode()


def docker(text: str, stream: str = "stdout") -> bytes:
    return json.dumps({"log": text, "stream": stream, "time": TIME}, separators=(",", ":")).encode() + b"\n"


def test_lines_are_whole_up_to_the_first_that_goes_on() -> None:
    assert whole([]) == 0
    assert whole([cri("F", "a"), b"plain\n", cri("P", "b")]) == 2
    assert whole([cri("P", "a"), cri("F", "b", "stderr"), cri("F", "c")]) == 3
    assert whole([cri("P", "a"), cri("P", "b", "stderr"), cri("F", "c")]) == 0
    assert whole([docker("a\n"), docker("b"), docker("c\n", "stderr")]) == 1
    assert whole([docker("a"), docker("b\n"), b'{"log":"no json\n', b"{}\n"]) == 4


LINES = st.builds(cri, st.sampled_from("PPF"), st.just("x"), st.sampled_from(("stdout", "stderr")))


@given(st.lists(st.lists(LINES, max_size=5)), st.sampled_from((60, 10_000)))
def test_runs_of_whole_lines_are_the_same_lines(parts: list[list[bytes]], held_bytes: int) -> None:
    sent, at = [], 1
    for part in parts:
        sent.append(Run(at, tuple(part)))
        at += len(part)
    found = list(in_whole_lines(sent, held_bytes))
    assert [line for run in found for line in run.lines] == [line for part in parts for line in part]
    assert [run.first_line for run in found] == [
        1 + sum(len(run.lines) for run in found[:at]) for at in range(len(found))
    ]
    if held_bytes > 60:
        assert all(whole(run.lines) == len(run.lines) for run in found[:-1])


def test_a_piece_of_a_followed_file_waits_for_the_rest(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(cri("F", "one") + cri("P", "tw"))
    process = start(["push", "--follow", "--unwrap", "cri", "--multiline", "java", str(path)], tmp_path, standin.url)
    standin.await_lines(1)
    with path.open("ab") as file:
        file.write(cri("F", "o"))
    standin.await_lines(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert [post.body for post in standin.posted] == [cri("F", "one"), cri("P", "tw") + cri("F", "o")]
    assert standin.posted[0].params == {"unwrap": "cri", "multiline": "java"}


def test_a_piece_whose_rest_does_not_come_goes_alone(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(cri("P", "alone"))
    process = start(["push", "--follow", "--unwrap", "auto", str(path)], tmp_path, standin.url)
    began_s = time.monotonic()
    standin.await_lines(1, 20)
    assert time.monotonic() - began_s > 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_a_line_longer_than_a_batch_arrives_in_one(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    long = cri("P", "x" * 16_000) * 200 + cri("F", "end")
    path.write_bytes(cri("F", "short") * 1000 + long + cri("F", "short"))
    for way in ([str(path)], []):
        standin.posted.clear()
        done = logq(["push", "--unwrap", "auto", *way], tmp_path, standin.url, stdin=b"" if way else path.read_bytes())
        assert done.status == 0, done.err
        bodies = [post.body for post in standin.posted]
        assert b"".join(bodies) == path.read_bytes()
        assert [long in body for body in bodies].count(True) == 1


def test_a_line_of_many_pieces_is_one_record(server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    running = server()
    path = tmp_path / "0.log"
    path.write_bytes(cri("F", "short") + cri("P", "x" * 16_000) * 200 + cri("F", "end", "stderr") + cri("F", "end"))
    done = logq(["push", "--unwrap", "auto", "--pod", "p", str(path)], tmp_path, running.url)
    assert done.status == 0, done.err
    found = [json.loads(line) for line in running.query("*", order="asc").text.splitlines()]
    assert [record["message"] for record in found] == ["short", "x" * 3_200_000 + "end", "end"]
    assert [record["stream"] for record in found] == ["stdout", "stdout", "stderr"]
