"""What arrives in bulk leaves the processors to what somebody waits for, and what takes long to both."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from logstore.store import Store
from logstore.yielding import BULK_NICE, LONG_NICE, yielding

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux alone")


def priority_of(native_id: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, native_id)


def test_threads_of_the_pool_yield_and_others_do_not() -> None:
    with yielding(1, "some", BULK_NICE) as pool:
        assert pool.submit(lambda: priority_of(threading.get_native_id())).result() == BULK_NICE
    assert priority_of(threading.get_native_id()) == 0


@pytest.mark.parametrize(("begun_with", "expected"), [("10", "15"), ("19", "19")])
def test_a_process_that_yields_itself_has_threads_that_yield_to_it(begun_with: str, expected: str) -> None:
    program = """if True:
        import os, threading
        from logstore.yielding import yielding
        if os.geteuid() == 0:
            os.setuid(65_534)  # who may not take back what was left to others
        with yielding(1, "some", 5) as pool:
            print(pool.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result())
    """
    command = ["nice", "-n", begun_with, sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.stdout.strip(), told.stderr) == (expected, "")


def test_each_thread_of_the_store_has_its_step(tmp_path: Path) -> None:
    with Store.open(tmp_path):
        threads = {thread.name: thread.native_id or 0 for thread in threading.enumerate()}
        steps = {"logstore-write": 0, "logstore-flush": BULK_NICE, "logstore-tend": LONG_NICE}
        deadline_s = time.monotonic() + 10
        while {name: priority_of(threads[name]) for name in steps} != steps:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
