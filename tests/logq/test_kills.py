"""kill -9 of the real server, and of `logq`, at random moments: each line exactly once, in file and on screen."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.logq.programs import start
from tests.logq.rotating import Log
from tests.serving import ServerProcess


def stored(server: ServerProcess, pod: str) -> Counter[bytes]:
    text = server.query(f'pod="{pod}" | fields message', limit=0, format="text").text
    return Counter(line.encode() for line in text.splitlines())


@pytest.mark.parametrize("seed", range(3))
def test_push_follow_over_kills_of_both_sides(server: Callable[..., ServerProcess], tmp_path: Path, seed: int) -> None:
    """A log under rotation; server and pusher killed again and again while lines are on their way."""
    dice = random.Random(seed)
    serving = server()
    (tmp_path / "logs").mkdir()
    log = Log(tmp_path / "logs" / "app.log", seed)
    command = ["push", "--follow", "--rotate-wait", "1s", "--pod", "web-1", str(log.path)]
    process = start(command, tmp_path, serving.url)
    while not list(tmp_path.glob(".local/state/logq/positions/*.json")):  # what was rotated before is not wanted
        time.sleep(0.02)
    for _ in range(40):
        log.step()
        time.sleep(dice.uniform(0, 0.1))
        if dice.random() < 0.15:
            process.kill()
            process.communicate()
            log.step()
            process = start(command, tmp_path, serving.url)
        if dice.random() < 0.1:
            serving.kill()
            log.step()
            serving.start()
    log.close()
    until = time.monotonic() + 30
    while stored(serving, "web-1").total() < len(log.lines) and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(0.5)  # for what should not come
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert stored(serving, "web-1") == Counter(log.lines), err


def test_push_of_stdin_over_kills_of_the_server(server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    serving = server()
    lines = [b"line %d" % number for number in range(200_000)]
    with start(["push", "--pod", "web-1"], tmp_path, serving.url) as process:
        assert process.stdin is not None

        def feed() -> None:
            for first in range(0, len(lines), 2_000):
                process.stdin.write(b"\n".join([*lines[first : first + 2_000], b""]))
                process.stdin.flush()
                time.sleep(0.02)
            process.stdin.close()

        feeding = threading.Thread(target=feed)
        feeding.start()
        for _ in range(3):
            time.sleep(0.5)
            serving.kill()
            serving.start()
        feeding.join()
        assert process.wait(60) == 0
    assert stored(serving, "web-1") == Counter(lines)


def test_tail_over_kills_of_the_server(server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    """A tail that runs all the time gets every acknowledged record once, in order."""
    serving = server()
    serving.post(b"first", "text/plain")
    with start(["tail", "*", "-o", "raw", "--backlog", "1"], tmp_path, serving.url) as process:
        assert process.stdout is not None
        got: list[bytes] = []
        reading = threading.Thread(target=lambda: got.extend(iter(process.stdout.readline, b"")))
        reading.start()
        until = time.monotonic() + 10
        while not got and time.monotonic() < until:
            time.sleep(0.02)
        posted = [b"first\n"]
        for turn in range(60):
            if turn % 15 == 7:
                serving.kill()
                serving.start()
            body = b"".join(b"turn %d line %d\n" % (turn, number) for number in range(20))
            assert serving.post(body, "text/plain").status_code == 200
            posted += body.splitlines(keepends=True)
        until = time.monotonic() + 20
        while len(got) < len(posted) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        process.kill()
        reading.join()
        assert process.stderr is not None
        assert got == posted, process.stderr.read()
