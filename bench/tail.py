"""Tail: from the moment a line is posted until a follower has it, with many followers at once.

One client process posts batches of 20 lines, 50 a second; each message carries the clock's reading just before its
POST began. `--followers` tails run in this process, with twenty distinct filters, each of which matches a part of
the lines; a follower's latency of a line is the clock's reading on its arrival less that in the line. CPU is the
server's over the whole time. The baseline is the CPU of plain DuckDB that evaluates, once every 50 ms, each
distinct filter as a statement of its own over the records of these 50 ms.
"""

import argparse
import asyncio
import http.client
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import duckdb
import pyarrow as pa

from bench.measure import child_cpu_s, cpu_s, peak_memory_bytes, quantile, table
from tests.serving import ServerProcess

BATCH_LINES: Final = 20
BATCHES_A_SECOND: Final = 50
FILTERS: Final = 20
TICK_S: Final = 0.05
SETTLE_S: Final = 3.0
SENT: Final = re.compile(rb'"message":"at ([0-9.]+) ')


def run(options: argparse.Namespace) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        ServerProcess(Path(directory) / "data", "--log-level", "warning") as server,
    ):
        before_s = cpu_s(server.pid)
        latencies_ms = asyncio.run(_follow_all(server.port, options.followers, options.seconds))
        spent_s = cpu_s(server.pid) - before_s
        memory_bytes = peak_memory_bytes(server.pid)
    baseline_s = child_cpu_s(lambda: _duckdb_by_tick(options.seconds)) - child_cpu_s(lambda: _duckdb_by_tick(0))
    return table(
        ["what", "value", "figure"],
        [
            ["followers", options.followers, ""],
            ["lines posted/s", BATCH_LINES * BATCHES_A_SECOND, ""],
            ["lines received", len(latencies_ms), ""],
            ["latency p50, ms", quantile(latencies_ms, 0.5), ""],
            ["latency p99, ms", quantile(latencies_ms, 0.99), "< 200"],
            ["latency max, ms", max(latencies_ms), ""],
            ["server, share of a core", spent_s / (options.seconds + SETTLE_S), ""],
            ["plain DuckDB by tick, share of a core", baseline_s / max(options.seconds, 1), ""],
            ["peak memory, MB", memory_bytes / 2**20, "≤ 512"],
        ],
    )


async def _follow_all(port: int, followers: int, seconds: int) -> list[float]:
    latencies_ms: list[float] = []
    tails = [asyncio.create_task(_follow(port, _filter(i), latencies_ms)) for i in range(followers)]
    await asyncio.sleep(SETTLE_S / 2)
    command = [sys.executable, "-m", "bench.tail", str(port), str(seconds)]
    writer = await asyncio.create_subprocess_exec(*command)
    if await writer.wait() != 0:
        raise RuntimeError("the writer failed")
    await asyncio.sleep(SETTLE_S / 2)
    for tail in tails:
        tail.cancel()
    for ended in await asyncio.gather(*tails, return_exceptions=True):
        if not isinstance(ended, asyncio.CancelledError):
            raise RuntimeError(f"a follower ended early: {ended}")
    return latencies_ms


async def _follow(port: int, q: str, latencies_ms: list[float]) -> None:
    """Notes the latency of every record, at the price of a search: a client that parsed them would measure itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    writer.write(f"GET /api/v1/tail?q={quote(q)} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    try:
        if b" 200 " not in (status := await reader.readline()):
            raise RuntimeError(status.decode())
        rest = b""
        while piece := await reader.read(2**16):
            arrived_s = time.time()
            whole, _, rest = (rest + piece).rpartition(b"\n")
            latencies_ms += [(arrived_s - float(sent)) * 1000 for sent in SENT.findall(whole)]
    finally:
        writer.close()


def _filter(i: int) -> str:
    return f'pod="pod-{i % FILTERS}" or "event {i % FILTERS}"'


def _lines(sent_s: float) -> list[dict[str, str]]:
    return [
        {
            "namespace": "bench",
            "pod": f"pod-{i % FILTERS}",
            "container": "main",
            "message": f"at {sent_s:.6f} event {i}",
        }
        for i in range(BATCH_LINES)
    ]


def _post(port: int, seconds: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    start_s = time.monotonic()
    for i in range(seconds * BATCHES_A_SECOND):
        time.sleep(max(0.0, start_s + i / BATCHES_A_SECOND - time.monotonic()))
        body = "".join(json.dumps(line) + "\n" for line in _lines(time.time())).encode()
        connection.request("POST", "/api/v1/logs", body, {"Content-Type": "application/x-ndjson"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the server answered {answer.status}")


def _duckdb_by_tick(seconds: int) -> None:
    con = duckdb.connect(config={"threads": 1})
    batches_a_tick = int(BATCHES_A_SECOND * TICK_S) + 1
    records = pa.Table.from_pylist([line for _ in range(batches_a_tick) for line in _lines(0.0)])
    con.register("records", records)
    for _ in range(int(seconds / TICK_S)):
        for i in range(FILTERS):
            sql = "from records where pod = ? or message ilike ?"
            con.execute(sql, [f"pod-{i}", f"%event {i}%"]).fetchall()


if __name__ == "__main__":
    _post(int(sys.argv[1]), int(sys.argv[2]))
