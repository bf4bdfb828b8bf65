"""GET /api/v1/sources: who sends, what of it was taken, and since when nothing came."""

import time
from typing import Any, Final

import numpy as np
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.encoding import encode_whole, negotiate
from server.errors import to_json
from server.params import Params, from_query_string
from server.quantities import Duration
from server.service import Service
from server.sources import Source

SECOND_NS: Final = 1_000_000_000


class SourcesParams(Params):
    """Which senders."""

    silent: Duration = Field(0.0, description="only senders of whom nothing was taken for so long: `10m`")


class SourcesRoute:
    """The endpoint over one server's senders."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def sources(self, request: Request) -> Response:
        """Every sender since the server started, the one that has been silent for longest first."""
        params = from_query_string(SourcesParams, request.scope["query_string"])
        coding = negotiate(request.headers.get("accept-encoding"))
        silent_ns = round(params.silent * SECOND_NS)
        content, headers = await self._service.administer(lambda: encode_whole(self._render(silent_ns), coding))
        return Response(content, headers=headers, media_type="application/json")

    def _render(self, silent_ns: int) -> bytes:
        now_ns = time.time_ns()
        sources = self._service.sources
        rows = [_row(source, now_ns) for source in sources.read(silent_ns, now_ns)]
        return to_json({"sources": rows, "forgotten": sources.forgotten})


def _row(source: Source, now_ns: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "protocol": source.protocol,
        "address": source.sender.address,
        "name": source.sender.name,
        "records": source.records,
        "bytes": source.bytes,
        "unread": source.unread,
        "rejected": source.rejected,
        "refused": source.refused,
        "first_seen": _time(source.first_seen_ns),
        "last_seen": _time(source.last_seen_ns),
        "silent_s": round(source.silent_ns(now_ns) / SECOND_NS, 3),
    }
    if source.last_error_ns:
        row |= {"last_error": source.last_error, "last_error_time": _time(source.last_error_ns)}
    return row


def _time(time_ns: int) -> str | None:
    """RFC 3339, UTC, 9 digits."""
    return f"{np.datetime_as_string(np.datetime64(time_ns, 'ns'))}Z" if time_ns else None
