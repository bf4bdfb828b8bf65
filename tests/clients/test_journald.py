"""systemd-journal-upload, and other ways to send a journal, against a real server."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed import program
from tests.ingest.exports import cursor, export
from tests.serving import ServerProcess

TIME_US = 1_790_000_000_000_000
pytestmark = pytest.mark.needs_program("systemd-journal-upload", "systemd-journal-remote")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as process:
        yield process


def entry(number: int, **fields: str | bytes) -> dict[str, str | bytes]:
    """As journald has it of a unit's output."""
    return {
        "__REALTIME_TIMESTAMP": str(TIME_US + number),
        "__MONOTONIC_TIMESTAMP": str(1_000 + number),
        "_BOOT_ID": "6b1e0f1a6d0a4c0b8f6b9d6d6c6a0001",
        "_HOSTNAME": "node-1",
        "_SYSTEMD_UNIT": "kubelet.service",
        "_TRANSPORT": "stdout",
        "PRIORITY": "6",
        "MESSAGE": f"line {number}",
        **fields,
    }


def journal(folder: Path, *entries: dict[str, str | bytes]) -> Path:
    """A journal file with these entries, written by systemd itself."""
    source, file = folder / "in.export", folder / "all.journal"
    source.write_bytes(export(*entries))
    subprocess.run([program("systemd-journal-remote") or "", "-o", file, source], check=True, capture_output=True)
    return file


def uploader(server: ServerProcess, file: Path, *options: str) -> "subprocess.Popen[bytes]":
    state = file.with_name("state")
    command = [
        program("systemd-journal-upload") or "",
        f"--file={file}",
        f"--save-state={state}",
        "-u",
        server.url,
        *options,
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def upload(server: ServerProcess, file: Path, *options: str) -> int:
    return uploader(server, file, "--follow=no", *options).wait(timeout=60)


def found(server: ServerProcess, q: str = "*") -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.query(q, order="asc", limit=0).text.splitlines()]


def count(server: ServerProcess) -> int:
    answer = server.query("* | stats count() as n").json()
    return int(answer["n"])


def await_count(server: ServerProcess, expected: int, within_s: float = 30.0) -> None:
    """Returns once so many records are there."""
    deadline_s = time.monotonic() + within_s
    while count(server) != expected:
        assert time.monotonic() < deadline_s, f"there never were {expected}"
        time.sleep(0.05)


def test_entries_arrive_with_all_their_fields(server: ServerProcess, tmp_path: Path) -> None:
    file = journal(
        tmp_path,
        entry(1, MESSAGE="pod started", PRIORITY="4", _PID="812", _SOURCE_REALTIME_TIMESTAMP=str(TIME_US - 7)),
        entry(2, MESSAGE="a stack\n  of lines\n", CODE_LINE="42"),
        entry(3, MESSAGE=b"bytes \xff\x00", _TRANSPORT="kernel", SYSLOG_IDENTIFIER="kernel"),
        entry(4, CONTAINER_NAME="k8s_app_web-0_shop_0b0e7a52-9e3c-4f0e-8f6b-9d6d6c6a0001_2", PRIORITY="3"),
    )
    assert upload(server, file) == 0
    first, second, third, fourth = found(server)
    assert first["time"] == "2026-09-21T14:13:19.999993000Z"
    assert (first["namespace"], first["pod"], first["container"]) == ("_node", "node-1", "kubelet.service")
    assert (first["stream"], first["severity"], first["message"]) == ("stdout", "warn", "pod started")
    assert (first["attributes"]["_PID"], first["attributes"]["PRIORITY"]) == (812, 4)
    assert first["labels"]["node"] == "node-1"
    assert second["time"] == "2026-09-21T14:13:20.000002000Z"
    assert (second["message"], second["attributes"]["CODE_LINE"]) == ("a stack\n  of lines", 42)
    assert (third["message"], third["attributes"]["_escape"]) == ("bytes \\xff\x00", "backslash")
    assert (fourth["namespace"], fourth["pod"], fourth["container"]) == ("shop", "web-0", "app")
    assert (fourth["stream"], fourth["labels"]["instance"]) == ("stderr", "2")


def test_a_path_before_upload_is_served_too(server: ServerProcess, tmp_path: Path) -> None:
    file = journal(tmp_path, entry(1))
    command = [program("systemd-journal-upload") or "", f"--file={file}", "--follow=no", f"--save-state={tmp_path}/s"]
    subprocess.run([*command, "-u", f"{server.url}/journald"], check=True, capture_output=True, timeout=60)
    assert [record["message"] for record in found(server)] == ["line 1"]


def test_a_server_killed_midway_has_every_entry_once_in_the_end(server: ServerProcess, tmp_path: Path) -> None:
    entries = 60_000
    file = journal(tmp_path, *(entry(number, FILL="x" * 200) for number in range(entries)))
    process = uploader(server, file, "--follow=no")
    while not count(server):
        assert process.poll() is None, "it was over before it could be killed"
    server.kill()
    assert process.wait(timeout=60) != 0
    server.start()
    before = count(server)
    assert 0 < before < entries
    assert upload(server, file) == 0
    assert count(server) == entries
    messages = [record["message"] for record in found(server, "* | fields message")]
    assert messages == [f"line {number}" for number in range(entries)]


def test_a_journal_that_was_sent_is_not_stored_again(server: ServerProcess, tmp_path: Path) -> None:
    file = journal(tmp_path, *map(entry, range(5_000)))
    for _ in range(2):
        (tmp_path / "state").unlink(missing_ok=True)
        assert upload(server, file) == 0
    assert count(server) == 5_000


def test_an_uploader_that_follows_sends_what_comes(server: ServerProcess, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    remote = [program("systemd-journal-remote") or "", "-o", str(folder / "all.journal"), "-"]
    with subprocess.Popen(remote, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        assert writer.stdin is not None
        writer.stdin.write(export(entry(1)))
        writer.stdin.flush()
        while not (folder / "all.journal").exists():
            time.sleep(0.05)
        options = [f"--directory={folder}", "--follow", f"--save-state={tmp_path}/s", "-u", server.url]
        with subprocess.Popen(
            [program("systemd-journal-upload") or "", *options], stderr=subprocess.DEVNULL
        ) as process:
            for number in range(2, 5):
                await_count(server, number - 1)
                writer.stdin.write(export(entry(number)))
                writer.stdin.flush()
            await_count(server, 4)
            process.terminate()
        writer.stdin.close()
    assert [record["message"] for record in found(server)] == [f"line {number}" for number in range(1, 5)]


class Endless:
    """A body that is sent piece by piece over one connection and has no end yet."""

    def __init__(self, server: ServerProcess) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self.socket.sendall(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.fdo.journal\r\n"
            b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        )
        assert self.socket.recv(1000).startswith(b"HTTP/1.1 100 ")

    def send(self, data: bytes) -> None:
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> bytes:
        self.socket.sendall(b"0\r\n\r\n")
        return self.answer()

    def answer(self) -> bytes:
        received = b""
        while data := self.socket.recv(1000):
            received += data
        return received


def test_entries_are_visible_and_safe_while_the_upload_goes_on(server: ServerProcess) -> None:
    body = Endless(server)
    for number in range(3):
        sent = export({"__CURSOR": cursor(number), **entry(number)})
        body.send(sent[:50])
        body.send(sent[50:])
        await_count(server, number + 1)
    server.kill()
    server.start()
    assert count(server) == 3
    again = Endless(server)
    again.send(export(*({"__CURSOR": cursor(number), **entry(number)} for number in range(4))))
    answer = again.end()
    assert answer.startswith(b"HTTP/1.1 202 ") and b"connection: close" in answer.lower()
    assert [record["message"] for record in found(server)] == [f"line {number}" for number in range(4)]


def test_a_server_that_stops_says_so_and_keeps_what_came(server: ServerProcess) -> None:
    body = Endless(server)
    body.send(export({"__CURSOR": cursor(1), **entry(1)}) + b"MESSAGE=not comple")
    await_count(server, 1)
    assert server.stop() == 0
    assert body.answer().startswith(b"HTTP/1.1 503 ")
    server.start()
    assert count(server) == 1


def test_a_compressed_upload_is_taken_too(server: ServerProcess) -> None:
    packed = subprocess.run(["gzip"], input=export(entry(1), entry(2)), capture_output=True, check=True).stdout
    answer = server.client.post("/upload", content=packed, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.text, count(server)) == (202, "OK.\n", 2)


def test_many_open_uploads_leave_the_server_to_others(server: ServerProcess) -> None:
    bodies = [Endless(server) for _ in range(100)]
    for number, body in enumerate(bodies):
        body.send(export({"__CURSOR": cursor(number), **entry(number)}))
    await_count(server, 100)
    assert all(body.end().startswith(b"HTTP/1.1 202 ") for body in bodies)


def test_an_uploader_that_is_told_to_end_has_lost_nothing(server: ServerProcess, tmp_path: Path) -> None:
    file = journal(tmp_path, *map(entry, range(30_000)))
    process = uploader(server, file, "--follow=no")
    while not count(server):
        assert process.poll() is None, "it was over before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert upload(server, file) == 0
    assert count(server) == 30_000
