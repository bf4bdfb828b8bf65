"""Ingest: what the server spends from socket to Parquet, as a multiple of DuckDB's `read_json` of the same file.

A client process posts the corpus with four connections in NDJSON bodies of 1 MB, uncompressed, then asks for a flush
and waits until segments count as settled and compaction has nothing left to do. CPU is that of the server process,
user and system, from before the first body until then, less what an idle server uses in that wait. The baseline is the
CPU of a fresh process that runs `create temp table t as select * from read_json('…')` on two threads, less
that of one that runs `select 1`: the medians of three before the server and of three after it, halfway between.
"""

import argparse
import http.client
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from bench.brute import read_json_cpu_s
from bench.corpus import Corpus, corpus
from bench.measure import cpu_s, directory_bytes, peak_memory_bytes, table
from logstore.settings import StoreSettings
from tests.serving import ServerProcess

CONNECTIONS: Final = 4
BODY_BYTES: Final = 1_000_000
LISTENED_S: Final = 20.0
IDLE_S: Final = 2.0
"""Compaction is over when the server has used no CPU for so long."""


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    parse_s = read_json_cpu_s(source)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        data = Path(directory) / "data"
        with ServerProcess(data, "--log-level", "warning") as server:
            before_s = cpu_s(server.pid)
            took_s = post_from_another_process(source, server.port)
            posted_s = cpu_s(server.pid) - before_s
            server.flush()
            waited_s = wait_until_compacted(server.pid)
            spent_s = cpu_s(server.pid) - before_s - idle_cpu_share(server.pid) * waited_s
            memory_bytes = peak_memory_bytes(server.pid)
        segments_bytes = directory_bytes(data / "segments")
    parse_s = (parse_s + read_json_cpu_s(source)) / 2
    return table(
        ["corpus", "value", "figure"],
        [
            ["records", source.records, ""],
            ["MB of NDJSON", source.bytes / 1e6, ""],
            ["`read_json`, CPU s", parse_s, ""],
            ["server until the last answer, CPU s", posted_s, ""],
            ["server with flush and compaction, CPU s", spent_s, ""],
            ["multiple of `read_json`", spent_s / parse_s, "≤ 4"],
            ["thousand records/s", source.records / took_s / 1000, ""],
            ["peak memory, MB", memory_bytes / 2**20, "≤ 512"],
            ["Parquet, MB", segments_bytes / 1e6, ""],
        ],
    )


def idle_cpu_share(pid: int) -> float:
    """CPU that a server spends a second while nobody asks anything of it."""
    before_s = cpu_s(pid)
    time.sleep(LISTENED_S)
    return (cpu_s(pid) - before_s) / LISTENED_S


def wait_until_compacted(pid: int) -> float:
    """Past the time at which compaction takes two segments for enough, and until it is done; seconds waited."""
    began_s = time.monotonic()
    settings = StoreSettings()
    time.sleep(settings.compact_settle_s + 2 * settings.compact_interval_s)
    spent_s = cpu_s(pid)
    while True:
        time.sleep(IDLE_S)
        if (now_s := cpu_s(pid)) - spent_s < 0.05 * IDLE_S:
            return time.monotonic() - began_s
        spent_s = now_s


def post_from_another_process(source: Corpus, port: int) -> float:
    """Seconds from the first body to the last answer."""
    command = [sys.executable, "-m", "bench.ingest", str(source.path), str(port)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _post_all(path: Path, port: int) -> float:
    bodies: SimpleQueue[bytes | None] = SimpleQueue()
    for body in _bodies(path):
        bodies.put(body)
    for _ in range(CONNECTIONS):
        bodies.put(None)
    threads = [threading.Thread(target=_post_some, args=(bodies, port)) for _ in range(CONNECTIONS)]
    start_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start_s


def _bodies(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while body := file.read(BODY_BYTES):
            yield body + file.readline()


def _post_some(bodies: "SimpleQueue[bytes | None]", port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while (body := bodies.get()) is not None:
        while not _is_accepted(connection, body):
            time.sleep(1)
    connection.close()


def _is_accepted(connection: http.client.HTTPConnection, body: bytes) -> bool:
    """False where the pipeline is full. Any other answer but 200 ends the measurement."""
    connection.request("POST", "/api/v1/logs", body, {"Content-Type": "application/x-ndjson"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in (200, 429):
        raise RuntimeError(f"{answer.status}: {text.decode()}")
    return answer.status == 200


if __name__ == "__main__":
    print(_post_all(Path(sys.argv[1]), int(sys.argv[2])))
