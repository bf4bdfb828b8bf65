"""Interrupts calls at their deadlines."""

import threading
import time
from typing import Final, Protocol

_INTERRUPT_AGAIN_S: Final = 0.05


class Interruptible(Protocol):
    """What can be told to end the call that it is in."""

    def interrupt(self) -> None: ...


class Watchdog:
    """Interrupts at deadlines, from one thread; never what is not in a call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._deadlines_s: dict[Interruptible, float] = {}
        self._next_s = float("inf")
        self._is_open = True
        threading.Thread(target=self._run, name="query-watchdog", daemon=True).start()

    def arm(self, caller: Interruptible, deadline_s: float) -> None:
        with self._changed:
            self._deadlines_s[caller] = deadline_s
            if deadline_s < self._next_s:
                self._changed.notify()

    def disarm(self, caller: Interruptible) -> None:
        with self._changed:
            self._deadlines_s.pop(caller, None)

    def hurry(self, caller: Interruptible) -> None:
        """Interrupts the call that it is in now, if it is in one."""
        with self._changed:
            if caller in self._deadlines_s:
                self._deadlines_s[caller] = 0.0
                self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_open = False
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while self._is_open:
                now_s = time.monotonic()
                for caller, deadline_s in self._deadlines_s.items():
                    if deadline_s <= now_s:
                        caller.interrupt()
                        # The call may just have begun, and an interrupt before its first step is forgotten.
                        self._deadlines_s[caller] = now_s + _INTERRUPT_AGAIN_S
                self._next_s = min(self._deadlines_s.values(), default=float("inf"))
                wait_s = self._next_s - time.monotonic()
                self._changed.wait(None if wait_s == float("inf") else max(wait_s, 0.0))
