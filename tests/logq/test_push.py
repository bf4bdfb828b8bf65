"""`logq push` of stdin and of whole files: what arrives, what is reported, what a bad connection does to it."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.logq.programs import logq, start
from tests.logq.standin import StandIn


def test_stdin_arrives_byte_for_byte_under_the_identity_of_the_flags(standin: StandIn, tmp_path: Path) -> None:
    text = b"one\n\n  two\ttabs \r\n\xff\xfe not utf-8\nno newline at the end"
    flags = ("--cluster", "eu", "-n", "shop", "--pod", "web-1", "--container", "app", "--stream", "stderr")
    done = logq(["push", *flags], tmp_path, standin.url, stdin=text)
    assert (done.status, done.out) == (0, b"")
    assert b"".join(post.body for post in standin.posted) == text
    assert standin.posted[0].params == {
        "cluster": "eu",
        "namespace": "shop",
        "pod": "web-1",
        "container": "app",
        "stream": "stderr",
    }
    assert standin.posted[0].content_type == "text/plain; charset=utf-8"


def test_a_line_from_a_pipe_is_sent_while_the_pipe_stays_open(standin: StandIn, tmp_path: Path) -> None:
    with start(["push"], tmp_path, standin.url) as process:
        assert process.stdin is not None
        process.stdin.write(b"first\n")
        process.stdin.flush()
        assert standin.await_lines(1) == [b"first"]
        process.stdin.write(b"second\n")
        process.stdin.close()
        assert process.wait(10) == 0
    assert standin.lines() == [b"first", b"second"]


def test_faults_neither_lose_nor_double_a_line_of_stdin(standin: StandIn, tmp_path: Path) -> None:
    dice = random.Random(7)
    standin.fault = lambda: dice.choice(["lose", "hush", "busy", "full", "", ""])
    lines = [b"line %d" % number for number in range(40_000)]
    done = logq(["push"], tmp_path, standin.url, stdin=b"\n".join([*lines, b""]) * 3)
    assert done.status == 0, done.err
    assert standin.lines() == lines * 3


def test_a_rejected_line_is_named_by_its_number_in_the_input(standin: StandIn, tmp_path: Path) -> None:
    standin.reject = lambda line: "no such time" if line == b"bad" else ""
    file = tmp_path / "app.log"
    file.write_bytes(b"good\n" * 300_000 + b"bad\n" + b"good\n")
    done = logq(["push", str(file)], tmp_path, standin.url)
    assert done.status == 2
    assert f"{file}:300001: rejected: no such time" in done.err
    assert "300,001 lines accepted, 1 not" in done.err


@pytest.mark.parametrize("source", ["stdin", "file"])
def test_lines_over_the_limit_are_skipped_visibly(standin: StandIn, tmp_path: Path, source: str) -> None:
    lines = [b"a" * 10, b"b" * 11, b"c" * 3_000_000, b"d" * 10, b"e" * 2_000_000]
    text = b"\n".join(lines) + b"\n"
    file = tmp_path / "app.log"
    file.write_bytes(text)
    words = [] if source == "stdin" else [str(file)]
    done = logq(["push", "--max-line", "10", *words], tmp_path, standin.url, stdin=text)
    assert standin.lines() == [lines[0], lines[3]]
    assert [line.split(":")[-3:-1] for line in done.err.splitlines()[:3]] == [
        [number, " skipped"] for number in ("2", "3", "5")
    ]
    assert done.status == 2


def test_a_long_line_under_the_limit_is_sent_whole(standin: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_bytes(b"short\n" + b"x" * 5_000_000 + b"\nshort\n" + b"y" * 3_000_000)
    done = logq(["push", str(file)], tmp_path, standin.url)
    assert done.status == 0, done.err
    assert [len(line) for line in standin.lines()] == [5, 5_000_000, 5, 3_000_000]


@pytest.mark.parametrize("source", ["stdin", "file"])
def test_a_batch_too_large_for_the_server_is_cut_smaller(standin: StandIn, tmp_path: Path, source: str) -> None:
    standin.max_body = 50_000
    lines = [b"%06d" % number * 10 for number in range(20_000)]
    lines[7_000] = b"z" * 60_000
    text = b"\n".join(lines) + b"\n"
    file = tmp_path / "app.log"
    file.write_bytes(text)
    words = [] if source == "stdin" else [str(file)]
    done = logq(["push", *words], tmp_path, standin.url, stdin=text)
    assert standin.lines() == lines[:7_000] + lines[7_001:]
    assert "7001: skipped" in done.err
    assert done.status == 2


def test_a_file_is_sent_again_by_a_second_push_but_not_after_a_crash(standin: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    lines = [b"%d" % number for number in range(400_000)]
    file.write_bytes(b"\n".join(lines))
    for times in (1, 2):
        assert logq(["push", str(file)], tmp_path, standin.url).status == 0
        assert len(standin.lines()) == times * len(lines)
    standin.posted.clear()
    with start(["push", str(file)], tmp_path, standin.url) as process:
        standin.await_lines(1)
        process.kill()
    assert logq(["push", str(file)], tmp_path, standin.url).status == 0
    assert standin.lines() == lines


def test_without_a_server_the_user_is_told_soon_and_nothing_is_said_to_be_sent(tmp_path: Path) -> None:
    gone = StandIn()
    gone.close()
    started = time.monotonic()
    done = logq(["push", "--retry", "2s"], tmp_path, gone.url, stdin=b"line\n")
    assert done.status == 2
    assert time.monotonic() - started < 6
    assert f"cannot reach {gone.url}: connection refused" in done.err
    assert "logstore serve" in done.err


def test_lines_wait_for_a_server_that_comes_back(standin: StandIn, tmp_path: Path) -> None:
    port = standin.port
    standin.close()
    with start(["push"], tmp_path, standin.url) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(b"patient\n")
        process.stdin.close()
        assert b"nothing is lost, trying again" in process.stderr.readline()
        back = StandIn(port)
        assert back.await_lines(1) == [b"patient"]
        assert process.wait(10) == 0
        back.close()


def test_giving_up_keeps_the_place(standin: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_bytes(b"line\n")
    standin.fault = lambda: "hush"
    done = logq(["push", str(file), "--retry", "300ms"], tmp_path, standin.url)
    assert (done.status, "closed the connection" in done.err) == (2, True)
    standin.fault = lambda: ""
    assert logq(["push", str(file)], tmp_path, standin.url).status == 0
    assert standin.lines() == [b"line"]


def test_json_lines_are_sent_as_records(standin: StandIn, tmp_path: Path) -> None:
    done = logq(["push", "--json"], tmp_path, standin.url, stdin=b'{"message":"m"}\n')
    assert done.status == 0
    assert standin.posted[0].content_type == "application/x-ndjson"


def test_missing_files_are_errors_that_leave_nothing_behind(standin: StandIn, tmp_path: Path) -> None:
    done = logq(["push", str(tmp_path / "none.log")], tmp_path, standin.url)
    assert done.status == 2
    assert "none.log: no such file" in done.err
    assert list(tmp_path.iterdir()) == []


def test_two_pushes_of_one_file_do_not_meet(standin: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_bytes(b"line\n")
    with start(["push", "--follow", str(file)], tmp_path, standin.url) as process:
        standin.await_lines(1)
        second = logq(["push", "--follow", str(file)], tmp_path, standin.url)
        assert second.status == 2
        assert "already" in second.err
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert standin.lines() == [b"line"]
