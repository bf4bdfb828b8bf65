"""What other threads come to, for tasks that wait for it: what comes at about the same time takes one turn of the event
loop together. With `asyncio.wrap_future` and `wait_for` the loop spent a tenth of a small request on that."""

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")


class Results:
    """Of one event loop, in which all methods are called."""

    def __init__(self) -> None:
        self._come = deque[tuple[asyncio.Future[Any], Future[Any]]]()
        self._is_called = False

    async def of(self, future: Future[Result], timeout_s: float | None = None) -> Result:
        """What the future gives or raises; it is cancelled where the task is, or where that takes too long.

        Raises:
            TimeoutError
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Result] = loop.create_future()
        timer = None if timeout_s is None else loop.call_later(timeout_s, _expire, waiting)
        future.add_done_callback(partial(self._note, loop, waiting))
        try:
            return await waiting
        except (asyncio.CancelledError, TimeoutError):
            future.cancel()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _note(self, loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[Result], done: Future[Result]) -> None:
        """In the thread that ends the future. What is noted before the loop's turn begins is taken in it."""
        self._come.append((waiting, done))
        if not self._is_called:
            self._is_called = True
            with suppress(RuntimeError):  # the loop has ended, and with it who waited
                loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        self._is_called = False
        while self._come:
            waiting, done = self._come.popleft()
            if not waiting.done():
                _pass_on(waiting, done)


def _pass_on(waiting: asyncio.Future[Result], done: Future[Result]) -> None:
    if done.cancelled():
        waiting.cancel()
    elif (error := done.exception()) is not None:
        waiting.set_exception(error)
    else:
        waiting.set_result(done.result())


def _expire(waiting: asyncio.Future[Any]) -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())
