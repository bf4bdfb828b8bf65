"""Connections: what many of them take of a server's memory, and whether all that they send is there.

A process of its own opens 1,000 connections that say nothing, then 200 that send 1,000 records each in batches of 100,
as fast as they are taken: of forward each batch waits for its acknowledgement, of syslog (RFC 5424, octet-counted) for
the socket only. Each protocol has a server of its own with the default `--memory`; on the last half of the connections
are of one, half of the other. Memory is the resident set: with the idle connections, and the largest that the server
ever had. The records are all there if a query finds as many as were sent, all different; the rate is until the last of
them is durable.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.measure import peak_memory_bytes, resident_bytes, table
from tests.forwarding import EPOCH_NS, lines, packed
from tests.serving import ServerProcess, free_port

IDLE: Final = 1_000
ACTIVE: Final = 200
BATCHES: Final = 10
BATCH: Final = 100
SENT: Final = ACTIVE * BATCHES * BATCH
FILES: Final = 2 * (IDLE + ACTIVE) + 200
_ACK_BYTES: Final = 4096

Encode = Callable[[int, int], bytes]
"""Of a connection's number and a batch's."""


def _forward(connection: int, batch: int) -> bytes:
    return packed(
        f"app.{connection}", lines(_texts("forward", connection, batch), EPOCH_NS), chunk=f"{connection}-{batch}"
    )


def _syslog(connection: int, batch: int) -> bytes:
    head = f"<14>1 2026-03-01T12:00:00.{batch:06d}Z node-{connection} app - - - "
    messages = [f"{head}{text}".encode() for text in _texts("syslog", connection, batch)]
    return b"".join(b"%d %b" % (len(message), message) for message in messages)


def _texts(name: str, connection: int, batch: int) -> list[str]:
    return [f"{name} {connection} {batch} {at} of a sender that has something to say" for at in range(BATCH)]


PROTOCOLS: Final[dict[str, tuple[str, Encode]]] = {
    "forward": ("forward-listen", _forward),
    "syslog": ("syslog-tcp-listen", _syslog),
}


def run(_options: argparse.Namespace) -> str:
    rows = [_measure(names) for names in (("forward",), ("syslog",), ("forward", "syslog"))]
    head = [
        "protocol",
        "connections",
        "MB at rest",
        "MB with the idle ones",
        "peak MB",
        "thousand records/s",
        "records",
    ]
    return table(head, rows)


def _measure(names: Sequence[str]) -> list[object]:
    ports = {name: free_port() for name in names}
    flags = [word for name in names for word in (f"--{PROTOCOLS[name][0]}", f"127.0.0.1:{ports[name]}")]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        ServerProcess(Path(directory) / "data", "--log-level", "error", *flags) as server,
    ):
        at_rest = resident_bytes(server.pid)
        share = len(names)
        senders = [_sender(name, ports[name], IDLE // share, ACTIVE // share) for name in names]
        for sender in senders:
            _line_of(sender)
        with_idle = resident_bytes(server.pid)
        began_s = time.monotonic()
        for sender in senders:
            _tell(sender)
        for sender in senders:
            _line_of(sender)
        _await_records(server, SENT)
        took_s = time.monotonic() - began_s
        found = json.loads(server.query("* | stats count() as all, count_distinct(message) as different").text)
        for sender in senders:
            sender.communicate()
        memory = [size / 2**20 for size in (at_rest, with_idle, peak_memory_bytes(server.pid))]
        is_all = found["all"] == found["different"] == SENT
        told = f"all {SENT:,}" if is_all else f"{found['different']:,} of {SENT:,}, {found['all']:,} stored"
        return [" and ".join(names), f"{IDLE:,} idle, {ACTIVE} active", *memory, SENT / took_s / 1000, told]


def _sender(name: str, port: int, idle: int, active: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.connections", name, *map(str, (port, idle, active))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _line_of(sender: "subprocess.Popen[str]") -> None:
    assert sender.stdout is not None
    if not sender.stdout.readline():
        raise RuntimeError(f"the sender ended with {sender.wait()}")


def _tell(sender: "subprocess.Popen[str]") -> None:
    assert sender.stdin is not None
    sender.stdin.write("\n")
    sender.stdin.flush()


def _await_records(server: ServerProcess, count: int) -> None:
    while f"logstore_accepted_records_total {float(count)}" not in server.client.get("/metrics").text:
        time.sleep(0.01)


async def _send(name: str, port: int, idle_ones: int, active_ones: int) -> None:
    """All connections of one protocol; the idle ones stay until the end of the input."""
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(idle_ones)]
    print("idle", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(*(_talk(name, number, port) for number in range(active_ones)))
    print("sent", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for _, writer in idle:
        writer.close()


async def _talk(name: str, number: int, port: int) -> None:
    _, encode = PROTOCOLS[name]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for batch in range(BATCHES):
        writer.write(encode(number, batch))
        await writer.drain()
        if name == "forward" and not await reader.read(_ACK_BYTES):
            raise RuntimeError("the server closed a connection")
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    asyncio.run(_send(sys.argv[1], *map(int, sys.argv[2:])))
