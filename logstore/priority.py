"""Threads that leave the processors to others, beside what somebody waits for (nice(2), sched(7)).

Decoding yields a little: what was taken in goes on to be durable, and into segments, before more is taken in. Queries
that may take long yield more.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

DECODE_NICE: Final = 2
LONG_NICE: Final = 5
"""Of four shares of a processor that both want, such a thread gets one."""


def yielding(count: int, name: str, nice: int) -> ThreadPoolExecutor:
    """A pool of threads that yield; so do all that are started in them."""
    return ThreadPoolExecutor(count, name, initializer=_lower, initargs=(nice,))


def _lower(nice: int) -> None:
    # Only Linux has a priority for each thread; elsewhere this would be that of the process, or an error.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
