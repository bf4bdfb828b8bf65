"""Turns: how many queries run at once, and one that must be alone."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from logstore.errors import Busy

LOOKED_S: Final = 0.2
"""Who waits to be alone looks so often whether that is still asked for."""


@dataclass(slots=True)
class Turn:
    """One query's; only `Turns` changes it."""

    number: int
    others: int
    """How many ran when it was taken."""
    is_alone: bool = False


class Turns:
    """At most `count` at once; thread-safe. `kind` is what the queries are called in an error."""

    def __init__(self, count: int, kind: str) -> None:
        self._count = count
        self._kind = kind
        self._changed = threading.Condition()
        self._running = 0
        self._taken = 0
        self._isolating = 0
        """How many are alone, or about to be: none begins beside them."""

    def take(self, wait_s: float) -> Turn:
        """
        Raises:
            Busy: still so many run after `wait_s`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._running < self._count and not self._isolating, wait_s):
                raise Busy(
                    f"{self._count} {self._kind} run already, which is the limit (query_concurrency); try again soon"
                )
            self._running += 1
            self._taken += 1
            return Turn(self._taken, self._running - 1)

    def isolate(self, turn: Turn, wait_s: float, is_off: Callable[[], bool] = lambda: False) -> bool:
        """Waits until no other runs, which lasts until the turn ends; False where the query was alone all the time,
        others still run after `wait_s`, or it `is_off` by then. What it holds should be let go of before."""
        with self._changed:
            if turn.is_alone or not (turn.others or self._taken > turn.number):
                return False
            self._running -= 1
            self._isolating += 1
            self._changed.notify_all()
            turn.is_alone = self._running == 0
            until_s = time.monotonic() + wait_s
            while not turn.is_alone and not is_off() and (left_s := until_s - time.monotonic()) > 0:
                turn.is_alone = self._changed.wait_for(lambda: self._running == 0, min(left_s, LOOKED_S))
            self._running += 1
            self._isolating -= not turn.is_alone
            return turn.is_alone

    def end(self, turn: Turn) -> None:
        with self._changed:
            self._running -= 1
            self._isolating -= turn.is_alone
            self._changed.notify_all()
