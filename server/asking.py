"""Queries with one whole answer, given up when the one who asked has gone."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from query.engine import Engine
from query.session import Session
from query.settings import Size
from server.body import ClientGone
from server.service import Service
from server.streaming import until_gone


class CancellableEngine(Engine):
    """The server's engine for one request: `cancel` ends all that the request runs in it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.settings = engine.settings
        self.verdicts = engine.verdicts
        self.answers = engine.answers
        self.parts = engine.parts
        self.misses = engine.misses
        self._sessions: list[Session] = []
        self._is_cancelled = False

    @contextmanager
    def session(self, size: Size = Size.SMALL, wait_s: float | None = None) -> Iterator[Session]:
        with self._engine.session(size, wait_s) as session:
            self._sessions.append(session)
            if self._is_cancelled:
                session.cancel()
            yield session

    def cancel(self) -> None:
        """May be called by any thread."""
        self._is_cancelled = True
        for session in list(self._sessions):
            session.cancel()


async def ask(service: Service, request: Request, function: Callable[[Engine], bytes]) -> bytes:
    """Run `function` in a query thread. Raises what it raises, or ClientGone."""
    engine = CancellableEngine(service.engine)
    making = asyncio.get_running_loop().run_in_executor(service.query_threads, function, engine)
    gone = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait((making, gone), return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            return making.result()
        engine.cancel()
        await asyncio.wait((making,))
        making.exception()
        raise ClientGone
    except asyncio.CancelledError:
        engine.cancel()
        raise
    finally:
        gone.cancel()
