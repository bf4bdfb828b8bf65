"""The life of one server process: settings checked, port bound, store opened, requests served, all flushed."""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from logstore.errors import LogstoreError
from server import memory
from server.access import Readiness
from server.app import create_app
from server.auth import Tokens
from server.grpc_listener import GrpcListener
from server.listeners import BACKLOG, bind, require_security, url_of
from server.listening import Listening, spoken
from server.protocol import bounded
from server.service import Service
from server.settings import ServeSettings
from server.telemetry import Telemetry
from server.tls import server_context

KEEP_ALIVE_S: Final = 75
"""Longer than the pools of common clients keep idle connections, so that they close them, not we."""
CANCELLED_WAIT_S: Final = 3.0
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger()


def serve(settings: ServeSettings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code, 0 if everything accepted was flushed.

    Raises InvalidSettings before anything is opened.
    """
    require_security(settings)
    memory.settle()
    context = server_context(settings)
    tokens = Tokens(settings.token_file) if settings.token_file is not None else None
    telemetry, readiness = Telemetry(), Readiness()
    listener = bind(settings)
    service = Service(settings, telemetry)
    listening = Listening(service, context, spoken(settings, tokens), GrpcListener(service, tokens))
    config = uvicorn.Config(
        create_app(service, readiness, tokens),
        http=bounded(settings, lambda what: telemetry.http.clients_cut.labels(what).inc()),
        ws="none",
        lifespan="off",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.stop_timeout)),
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )
    server = _Server(config, service, readiness, listener, listening)
    server.run(sockets=[listener])
    return server.exit_code


class _Server(uvicorn.Server):
    """Uvicorn's server, which serves the health paths while the store opens and flushes it when it stops."""

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        readiness: Readiness,
        listener: socket.socket,
        listening: Listening,
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self.exit_code = 0
        self._service = service
        self._readiness = readiness
        self._url = url_of(listener, service.settings)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._listening.listen()
        opening = asyncio.create_task(self._open())
        await super().serve(sockets)
        await opening
        if self.server_state.tasks:
            # What was still running has been cancelled; its queries are being interrupted.
            await asyncio.wait(self.server_state.tasks, timeout=CANCELLED_WAIT_S)
        await self._close()
        # gRPC keeps the loop for ever, and the loop what its handlers lead to: everything.
        for number in SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.gather(super().shutdown(sockets), self._listening.stop())

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop, number)
        yield

    def _stop(self, number: signal.Signals) -> None:
        if self.should_exit and number == signal.SIGINT:
            self.force_exit = True
        if not self.should_exit:
            log.info("stopping", signal=number.name)
        self.should_exit = True
        self._readiness.is_ready = False
        self._readiness.reason = "the server is stopping"
        self._service.stop_tails()

    async def _open(self) -> None:
        began_s = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._service.open)
        except LogstoreError as error:
            self._fail("not started", error=str(error))
        except Exception as error:
            self._fail("not started", exc_info=error)
        else:
            memory.freeze()
            if not self.should_exit:
                await self._listening.start()
                self._readiness.is_ready = True
                self._announce(time.monotonic() - began_s)

    async def _close(self) -> None:
        memory.thaw()
        began_s = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._service.close)
        except Exception as error:
            self._fail("not everything could be flushed; it stays in the log for the next start", exc_info=error)
        else:
            log.info("stopped", seconds=round(time.monotonic() - began_s, 3))

    def _fail(self, event: str, **details: object) -> None:
        log.error(event, **details)
        self.exit_code = 1
        self.should_exit = True

    def _announce(self, seconds: float) -> None:
        data = _shortest(self._service.settings.data)
        print(f"logstore is ready at {self._url} and keeps its records in {data}", flush=True)
        log.info("ready", url=self._url, data=str(data), seconds=round(seconds, 3), python=sys.version.split()[0])


def _shortest(path: Path) -> Path:
    with contextlib.suppress(ValueError):
        return path.absolute().relative_to(Path.cwd())
    return path.absolute()
