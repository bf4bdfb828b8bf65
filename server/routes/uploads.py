"""Bodies that may never end: what has come of one is stored as it comes, a piece at a time, and answered at its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from ingest import body as bodies
from ingest.pipeline import Accepted, Arrival
from ingest.protocol import Answer, Stream, Take
from ingest.reader import Reader
from ingest.request import Decoded, Head, Request
from logstore.errors import Busy, Unavailable
from server.body import BodyReader, PieceLimits
from server.service import Service
from server.shares import pipeline_settings

PIECE: Final = PieceLimits(size_bytes=1 << 20, linger_s=0.2, silence_s=3600.0)
RETRY_S: Final = 0.2
PATIENCE_S: Final = 60.0
"""How long a sender is held while there is no room, or the disk is full, before it is told."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One request: what reads its body, and who hears of each batch and its bytes as sent."""

    head: Head
    protocol: str
    reader: Reader
    accept: Callable[[Arrival], Awaitable[Accepted]]
    on_batch: Callable[[Accepted, int], None]


class Uploads:
    """The way of such bodies into the pipeline."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._limits = pipeline_settings(service.settings).limits

    async def take(
        self,
        stream: Stream,
        protocol: str,
        head: Head,
        body: BodyReader,
        accept: Callable[[Arrival], Awaitable[Accepted]],
        on_batch: Callable[[Accepted, int], None],
    ) -> Answer:
        """Stores all of a body. One with a content coding is read whole, and so is bounded.

        Raises:
            Busy, Unavailable: no room for `PATIENCE_S`, or the server stops; what was stored is not said.
            InvalidInput, TooLarge: a content coding that cannot be taken off.
        """
        upload = Upload(head, protocol, stream.open(head, self._limits), accept, on_batch)
        if coding := head.headers.get("content-encoding", ""):
            content = await body.read()
            inflated = await self._service.administer(bodies.inflate, content, coding, self._limits.max_body_bytes)
            upload.reader.feed(inflated)
            upload.reader.end()
            await self._store(upload, 0)
        else:
            await self._follow(upload, body)
        return stream.answer(head)

    async def _follow(self, upload: Upload, body: BodyReader) -> None:
        while not body.is_complete:
            piece = await body.piece(PIECE, lambda: not self._service.is_stopping)
            if not piece and not body.is_complete:
                raise Unavailable("the server is stopping")
            upload.reader.feed(piece)
            if body.is_complete:
                upload.reader.end()
            await self._store(upload, len(piece))
            body.keep(upload.reader.held_bytes)

    async def _store(self, upload: Upload, size_bytes: int) -> None:
        """Stores what the reader has, in as many batches as it takes."""
        reader = upload.reader
        take = Take((), (), reader.read, _receipt, _as_it_is, keeps_answer=True)
        arrival = Arrival(b"", upload.head, take, upload.protocol)
        is_more = True
        while is_more:
            accepted = await self._patiently(upload, arrival)
            upload.on_batch(accepted, size_bytes)
            size_bytes = 0
            is_more = reader.stored(accepted.answer.body)

    async def _patiently(self, upload: Upload, arrival: Arrival) -> Accepted:
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await upload.accept(arrival)
            except (Busy, Unavailable):
                if self._service.is_stopping or time.monotonic() > until_s:
                    raise
                await asyncio.sleep(RETRY_S)


def _receipt(_request: Request, decoded: Decoded) -> Answer:
    return Answer(200, decoded.items or b"")


def _as_it_is(body: bytes, _head: Head, _max_bytes: int) -> bytes:
    return body
