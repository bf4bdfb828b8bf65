"""What the process keeps of memory that it does not use."""

import ctypes
import os
import subprocess
import sys
import time

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from server.memory import Trimmer, resident_bytes

WITHIN_S = 20.0
MANY, PIECE_BYTES = 2_000, 100_000
DIRTY_BYTES = 2 << 20


@pytest.fixture
def trimmer() -> Trimmer:
    return Trimmer(1)


def test_what_is_free_goes_back_near_the_limit(trimmer: Trimmer) -> None:
    """Small pieces, of which the last is in use: malloc keeps those below it until it is told not to."""
    pool = pa.system_memory_pool()
    pieces = [pa.allocate_buffer(PIECE_BYTES, memory_pool=pool) for _ in range(MANY)]
    for piece in pieces:
        np.frombuffer(piece, np.uint8)[:] = 1
    last = pieces.pop()
    full_bytes = resident_bytes()
    pieces.clear()
    trimmer.start()
    deadline_s = time.monotonic() + WITHIN_S
    while not trimmer.readings()["memory_trims"]:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    trimmer.stop()
    assert resident_bytes() < full_bytes - MANY * PIECE_BYTES // 2
    assert last.size == PIECE_BYTES


def test_far_from_the_limit_it_is_kept() -> None:
    far = Trimmer(1 << 50)
    far.look()
    assert far.readings() == {"memory_trims": 0}


def test_what_duckdb_keeps_goes_back_too(trimmer: Trimmer) -> None:
    with duckdb.connect(config={"threads": 2}) as database:
        database.execute("SELECT count(*) FROM (SELECT x, count(*) FROM range(2_000_000) t(x) GROUP BY x)").fetchall()
        ctypes.CDLL(None).malloc_trim(0)
        full_bytes = resident_bytes()
        trimmer.look()
        assert resident_bytes() < full_bytes - DIRTY_BYTES


def test_arrow_has_no_pool_of_its_own() -> None:
    """In its C++ code neither, which takes its pool as it is loaded."""
    told = "import server.main; server.main.run([]); import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    done = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "system"
