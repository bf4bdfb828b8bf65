"""`logq push --follow`: over rotation, truncation, bad connections and kill -9, each line exactly once."""

import itertools
import json
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from logq.source import Batch
from logq.trail import Trail
from tests.logq.programs import start
from tests.logq.rotating import Log
from tests.logq.standin import StandIn

QUICK = ("--rotate-wait", "300ms")


def follow(path: Path, home: Path, url: str) -> "subprocess.Popen[bytes]":
    return start(["push", "--follow", *QUICK, str(path)], home, url)


def await_position(home: Path) -> Path:
    """The position file: what is rotated away from now on is wanted."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if found := list(home.glob(".local/state/logq/positions/*.json")):
            return found[0]
        time.sleep(0.02)
    raise AssertionError("no position file")


def end(process: "subprocess.Popen[bytes]") -> str:
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return err.decode()


@pytest.mark.parametrize("seed", range(12))
def test_any_rotation_schedule_with_kills_and_faults(standin: StandIn, tmp_path: Path, seed: int) -> None:
    """Random writes and rotations; the pusher killed and started again; the connection good and bad."""
    dice = random.Random(seed)
    standin.fault = lambda: dice.choice(["lose", "hush", "busy", "full", *[""] * 8])
    (tmp_path / "logs").mkdir()
    log = Log(tmp_path / "logs" / "app.log", seed)
    process = follow(log.path, tmp_path, standin.url)
    await_position(tmp_path)
    for _ in range(40):
        log.step()
        if dice.random() < 0.4:
            time.sleep(dice.uniform(0, 0.15))
        if dice.random() < 0.15:
            process.kill()
            process.communicate()
            for _ in range(dice.choice([0, 0, 1, 4])):
                log.step()
            process = follow(log.path, tmp_path, standin.url)
    log.close()
    standin.fault = lambda: ""
    standin.await_lines(len(log.lines))
    time.sleep(0.5)  # for what should not come
    err = end(process)
    assert Counter(standin.lines()) == Counter(log.lines), err


def test_a_line_is_held_until_it_is_complete(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"whole\nhal")
    process = follow(path, tmp_path, standin.url)
    assert standin.await_lines(1) == [b"whole"]
    time.sleep(0.5)
    assert standin.lines() == [b"whole"]
    with path.open("ab") as file:
        file.write(b"f\n")
    assert standin.await_lines(2) == [b"whole", b"half"]
    end(process)


def test_following_resumes_where_it_was(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    process = follow(path, tmp_path, standin.url)
    standin.await_lines(1)
    end(process)
    with path.open("ab") as file:
        file.write(b"two\n")
    process = follow(path, tmp_path, standin.url)
    assert standin.await_lines(2) == [b"one", b"two"]
    end(process)


def test_sigterm_sends_what_is_there_first(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"")
    process = follow(path, tmp_path, standin.url)
    with path.open("ab") as file:
        for number in range(100):
            file.write(b"%d\n" % number)
            file.flush()
            standin.await_lines(number, 0.5)
        file.write(b"last\n" * 200_000)
    end(process)
    assert len(standin.lines()) == 200_100


def test_a_file_that_comes_later_is_waited_for(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    process = follow(path, tmp_path, standin.url)
    time.sleep(0.5)
    path.write_bytes(b"here\n")
    assert standin.await_lines(1) == [b"here"]
    end(process)


def test_files_rotated_before_the_first_start_are_not_sent(standin: StandIn, tmp_path: Path) -> None:
    (tmp_path / "app.log.1").write_bytes(b"old\n")
    (tmp_path / "app.log").write_bytes(b"new\n")
    (tmp_path / "app.log-other.txt").write_bytes(b"not ours\n")
    process = follow(tmp_path / "app.log", tmp_path, standin.url)
    standin.await_lines(1)
    (tmp_path / "app.log.gz").write_bytes(b"compressed\n")
    (tmp_path / "app.log.2.gz").write_bytes(b"compressed\n")
    (tmp_path / "app.logger").write_bytes(b"another program's\n")
    time.sleep(0.5)
    end(process)
    assert standin.lines() == [b"new"]


def test_a_symbolic_link_is_followed_to_where_rotation_happens(standin: StandIn, tmp_path: Path) -> None:
    real = tmp_path / "pods" / "0.log"
    real.parent.mkdir()
    real.write_bytes(b"one\n")
    (tmp_path / "link.log").symlink_to(real)
    process = follow(tmp_path / "link.log", tmp_path, standin.url)
    standin.await_lines(1)
    process.kill()
    process.communicate()
    with real.open("ab") as file:
        file.write(b"two\n")
    real.rename(real.with_name("0.log.20261124-101010"))
    real.write_bytes(b"three\n")
    process = follow(tmp_path / "link.log", tmp_path, standin.url)
    assert sorted(standin.await_lines(3)) == [b"one", b"three", b"two"]
    end(process)


def test_an_inode_used_again_is_another_file(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"first life\n" * 3)
    process = follow(path, tmp_path, standin.url)
    standin.await_lines(3)
    end(process)
    inode = path.stat().st_ino
    with path.open("r+b") as file:  # the same inode, all other bytes, longer than before
        file.truncate(0)
        file.write(b"second life, no longer the same\n" * 5)
    assert path.stat().st_ino == inode
    process = follow(path, tmp_path, standin.url)
    assert len(standin.await_lines(8)) == 8
    end(process)


def test_what_was_rotated_away_and_removed_is_reported(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    process = follow(path, tmp_path, standin.url)
    standin.await_lines(1)
    end(process)
    path.rename(tmp_path / "gone")
    path.write_bytes(b"another\n")  # while the first is still there, so that the inodes differ
    (tmp_path / "gone").unlink()
    process = follow(path, tmp_path, standin.url)
    standin.await_lines(2)
    assert "rotated and removed" in end(process)


def test_a_lost_flight_is_reported(standin: StandIn, tmp_path: Path) -> None:
    """Killed while a batch was on its way, and the bytes are gone: nobody can say whether it arrived."""
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    standin.fault = lambda: "lose"
    process = follow(path, tmp_path, standin.url)
    position = await_position(tmp_path)
    while json.loads(position.read_text())["flight"] is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    path.unlink()
    path.write_bytes(b"another\n")
    standin.fault = lambda: ""
    process = follow(path, tmp_path, standin.url)
    assert standin.await_lines(1) == [b"another"]
    assert "may not have arrived" in end(process)


def test_the_flight_is_on_disk_before_it_is_sent_and_sent_the_same_again(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\ntwo\n")
    standin.fault = lambda: "hush"
    process = follow(path, tmp_path, standin.url)
    standin.await_lines(2)
    process.kill()
    process.communicate()
    with path.open("ab") as file:
        file.write(b"three\n")
    standin.fault = lambda: ""
    process = follow(path, tmp_path, standin.url)
    assert standin.await_lines(3) == [b"one", b"two", b"three"]
    end(process)
    assert len({post.key for post in standin.posted}) == 2


def test_what_came_after_the_last_look_is_known_in_a_copy(tmp_path: Path) -> None:
    """An empty file is looked at, grows, is read, then copied and truncated: the copy holds nothing new."""
    path = tmp_path / "app.log"
    path.touch()
    trail = Trail(path, lambda told: None, follows=True)
    trail.begin()
    path.write_bytes(b"sent\n")
    batch = trail.sources[0].read(1000, 1000, is_final=False)
    assert isinstance(batch, Batch)
    trail.sources[0].sent(batch)
    shutil.copy(path, tmp_path / "app.log.1")
    path.write_bytes(b"after the copy\n")  # opened with O_TRUNC: the same inode
    trail.look()
    read = [source.read(1000, 1000, is_final=True) for source in trail.sources]
    assert [item.body for item in read if isinstance(item, Batch)] == [b"after the copy\n"]
    trail.close()


def test_files_that_are_renamed_during_a_look_are_still_known(tmp_path: Path) -> None:
    """A rotation renames all of them, one after the other: none is taken for one that was never read."""
    path = tmp_path / "app.log"
    path.write_bytes(b"now\n")
    for number in range(1, 21):
        path.with_suffix(f".log.{number}").write_bytes(b"old %d\n" % number)
    trail = Trail(path, lambda told: None, follows=True)
    trail.begin()
    rotating = threading.Event()

    def rotate() -> None:
        for up, numbers in itertools.cycle(((1, range(20, 0, -1)), (0, range(1, 21)))):
            for number in numbers:
                path.with_suffix(f".log.{number + 1 - up}").rename(path.with_suffix(f".log.{number + up}"))
            if rotating.wait(0.002):
                return

    with ThreadPoolExecutor(1) as threads:
        threads.submit(rotate)
        for _ in range(300):
            trail.look()
        rotating.set()
    assert [source.inode for source in trail.sources] == [path.stat().st_ino]
    trail.close()


def test_several_files_at_once_and_memory_stays_bounded(standin: StandIn, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.log" for name in "abc"]
    for path in paths:
        path.write_bytes(b"".join(b"%s %d %s\n" % (path.name.encode(), n, b"x" * 200) for n in range(100_000)))
    process = start(["push", "--follow", *map(str, paths)], tmp_path, standin.url)
    lines = standin.await_lines(300_000)
    peak = int(
        next(li for li in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in li).split()[1]
    )
    end(process)
    assert len(set(lines)) == len(lines) == 300_000
    assert peak < 60_000, f"{peak} kB"


def test_an_unreadable_position_is_an_error_and_not_a_second_sending(standin: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    end_of_first = follow(path, tmp_path, standin.url)
    standin.await_lines(1)
    end(end_of_first)
    position = await_position(tmp_path)
    position.write_text("{")
    process = follow(path, tmp_path, standin.url)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "cannot read the position" in err.decode()
    assert standin.lines() == [b"one"]
    assert position.exists()
