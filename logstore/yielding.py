"""Threads that leave the processors to others.

What somebody waits for at a screen comes first: short questions, tails, acknowledgements of small batches. After it
comes what arrives in bulk and is flushed, and last what takes long whatever it is given: large queries and compaction.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

BULK_NICE: Final = 5
LONG_NICE: Final = 8
"""How much nicer such threads are than the process, which may have been started as a nice one. Of a processor that
both want, a short question gets three fourths beside the first, and six sevenths beside the second (sched(7))."""
NICE_MAX: Final = 19


def yielding(count: int, name: str, nice: int) -> ThreadPoolExecutor:
    """A pool of threads that yield; so do all that are started in them."""
    return ThreadPoolExecutor(count, name, initializer=yield_to_others, initargs=(nice,))


def yield_to_others(nice: int) -> None:
    """Makes the thread that calls this one of them."""
    # Only Linux has a priority for each thread; elsewhere this would be that of the process, or an error.
    if sys.platform == "linux":
        own = os.getpriority(os.PRIO_PROCESS, os.getpid())
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(own + nice, NICE_MAX))
