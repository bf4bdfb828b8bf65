"""`logq logs` of lines that came in pieces, each in a request of its own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.logq.programs import Done, logq, on_terminal, start
from tests.serving import ServerProcess

Run = Callable[..., Done]


def post(server: ServerProcess, pod: str, *lines: str | bytes, instance: str = "0", container: str = "app") -> None:
    """A request with lines as a container runtime wrote them, a second after each other."""
    bodies = []
    for line in lines:
        text = line if isinstance(line, bytes) else line.encode()
        where = {"namespace": "shop", "pod": pod, "container": container}
        labels = {"pod_uid": "u1", "instance": instance, "app": pod}
        bodies.append(json.dumps({**where, "labels": labels})[:-1].encode() + b', "message": "' + text + b'"}')
    answer = server.post(b"\n".join(bodies), params={"unwrap": "cri"})
    assert answer.json()["rejected"] == [], answer.text


def cri(second: int, text: str, tag: str = "F", stream: str = "stdout") -> str:
    return f"2026-03-01T12:00:{second:02d}.5Z {stream} {tag} {text}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("pieces") / "data") as server:
        yield server


@pytest.fixture
def run(served: ServerProcess, tmp_path: Path) -> Run:
    return lambda *arguments, **more: logq(arguments, tmp_path, served.url, **more)


def test_pieces_of_one_line_are_one_line(served: ServerProcess, run: Run) -> None:
    post(served, "web", cri(0, "first"), cri(1, "begins, ", "P"))
    post(served, "web", cri(2, "goes on, ", "P"))
    post(served, "web", cri(3, "ends"), cri(4, "last"))
    assert run("logs", "web").out == b"first\nbegins, goes on, ends\nlast\n"
    told = run("logs", "web", "--timestamps", "--prefix")
    assert told.out.decode().splitlines() == [
        "[pod/web/app] 2026-03-01T12:00:00.500000000Z first",
        "[pod/web/app] 2026-03-01T12:00:01.500000000Z begins, goes on, ends",
        "[pod/web/app] 2026-03-01T12:00:04.500000000Z last",
    ]
    assert run("logs", "web", "--limit-bytes", "12").out == b"first\nbegins"
    assert run("logs", "web", "--limit-bytes", "6", "--prefix").out == b"[pod/web/app] first\n"
    records = [json.loads(line) for line in run("logs", "web", "-o", "ndjson").out.splitlines()]
    assert [record["message"] for record in records] == ["first", "begins, ", "goes on, ", "ends", "last"]


def test_only_pieces_that_follow_each_other_are_joined(served: ServerProcess, run: Run) -> None:
    post(served, "mixed", cri(0, "out ", "P"))
    post(served, "mixed", cri(1, "an error", stream="stderr"))
    post(served, "mixed", cri(2, "and its rest"))
    assert run("logs", "mixed").out == b"out \nan error\nand its rest\n"


def test_a_line_whose_rest_never_came_ends_with_its_run(served: ServerProcess, tmp_path: Path, run: Run) -> None:
    post(served, "broken", cri(0, "killed while wri", "P"))
    assert run("logs", "broken").out == b"killed while wri\n"
    post(served, "broken", cri(5, "started"), instance="1")
    assert run("logs", "broken", "-p").out == b"killed while wri\n"
    assert run("logs", "broken").out == b"started\n"


def test_a_character_that_was_cut_is_whole_again(served: ServerProcess, tmp_path: Path, run: Run) -> None:
    euro = "€".encode()
    post(served, "cut", cri(0, "costs 7 ", "P").encode() + euro[:1])
    post(served, "cut", b"2026-03-01T12:00:01.5Z stdout F " + euro[1:] + rb", a \\ stays")
    assert run("logs", "cut").out == "costs 7 €, a \\ stays\n".encode()
    assert on_terminal(["logs", "cut"], tmp_path, served.url)[1].count("\n") == 1


def test_pieces_are_joined_while_following(served: ServerProcess, tmp_path: Path) -> None:
    post(served, "live", cri(0, "old"))
    with start(["logs", "live", "-f"], tmp_path, served.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"old\n"
        post(served, "live", cri(1, "now ", "P"))
        assert process.stdout.read(4) == b"now "
        post(served, "live", cri(2, "and then"))
        assert process.stdout.readline() == b"and then\n"
        post(served, "live", cri(3, "cut ", "P"))
        assert process.stdout.read(4) == b"cut "
        post(served, "live", cri(4, "after the restart"), instance="1")
        assert process.stdout.readline() == b"\n"
        assert process.stdout.readline() == b"after the restart\n"
        process.kill()


def test_containers_that_are_followed_at_once_do_not_break_into_lines(served: ServerProcess, tmp_path: Path) -> None:
    for container in ("a", "b"):
        post(served, "pair", cri(0, container), container=container)
    with start(["logs", "pair", "--all-containers", "-f", "--prefix"], tmp_path, served.url) as process:
        assert process.stdout is not None
        assert {process.stdout.readline() for _ in "ab"} == {b"[pod/pair/a] a\n", b"[pod/pair/b] b\n"}
        post(served, "pair", cri(1, "begun ", "P"), container="a")
        assert process.stdout.read(19) == b"[pod/pair/a] begun "
        post(served, "pair", cri(2, "other"), container="b")
        assert [process.stdout.readline() for _ in "ab"] == [b"\n", b"[pod/pair/b] other\n"]
        post(served, "pair", cri(3, "ended"), container="a")
        assert process.stdout.readline() == b"[pod/pair/a] ended\n"
        process.kill()
