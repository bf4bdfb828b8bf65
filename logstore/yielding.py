"""Threads that leave the processors to others: what may take long runs in them, beside what somebody waits for."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

NICE: Final = 5
"""How much nicer such threads are than the process, which may have been started as a nice one. Of four shares of a
processor that both want, such a thread gets one (nice(2), sched(7))."""
NICE_MAX: Final = 19


def yielding(count: int, name: str) -> ThreadPoolExecutor:
    """A pool of threads that yield; so do all that are started in them."""
    return ThreadPoolExecutor(count, name, initializer=yield_to_others)


def yield_to_others() -> None:
    """Makes the thread that calls this one of them."""
    # Only Linux has a priority for each thread; elsewhere this would be that of the process, or an error.
    if sys.platform == "linux":
        nice = os.getpriority(os.PRIO_PROCESS, os.getpid()) + NICE
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(nice, NICE_MAX))
