"""Threads of Python take turns more often while somebody waits for a short answer: a short question takes dozens of
turns, and waits for each of them while records come. At other times long turns serve many small requests better."""

import sys
import threading
from typing import Final

SWITCH_S: Final = 0.0005
"""How long a thread may go on in Python then while others want to, a tenth of the usual."""


class Hurry:
    """Counts who waits; the interval is the process's. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._usual_s = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._usual_s = sys.getswitchinterval()
                sys.setswitchinterval(SWITCH_S)

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._waiting -= 1
            if not self._waiting:
                sys.setswitchinterval(self._usual_s)


HURRY: Final = Hurry()
