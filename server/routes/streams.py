"""GET /api/v1/streams and POST /api/v1/flush: straight from the store."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

from server.encoding import encode_whole, negotiate
from server.errors import json_response, to_json
from server.params import Params, from_query_string
from server.service import Service

NAMES = ("cluster", "namespace", "pod", "container")


class NoParams(Params):
    """A route that takes no parameters."""


class Streams:
    """Endpoints over the store's catalog."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def streams(self, request: Request) -> Response:
        """Every stream there is: identity, labels, number of records, first and last time."""
        from_query_string(NoParams, request.scope["query_string"])
        coding = negotiate(request.headers.get("accept-encoding"))
        content, headers = await self._service.administer(lambda: encode_whole(self._render(), coding))
        return Response(content, headers=headers, media_type="application/json")

    async def flush(self, request: Request) -> Response:
        """Everything accepted so far is in Parquet when this answers."""
        from_query_string(NoParams, request.scope["query_string"])
        await self._service.administer(self._service.store.flush)
        return json_response({"flushed": True})

    def _render(self) -> bytes:
        return to_json({"streams": rows(self._service.store.streams())})


def rows(streams: pa.Table) -> list[dict[str, Any]]:
    """The table of `Store.streams` as the contract's objects."""
    columns = [streams[name].to_pylist() for name in (*NAMES, "labels", "records")]
    first, last = (_times(streams[name]) for name in ("first_time_ns", "last_time_ns"))
    return [
        {
            **dict(zip(NAMES, identity, strict=True)),
            "labels": json.loads(labels) if labels else {},
            "records": records,
            "first_time": first_time,
            "last_time": last_time,
        }
        for *identity, labels, records, first_time, last_time in zip(*columns, first, last, strict=True)
    ]


def _times(column: pa.ChunkedArray) -> list[str]:
    """RFC 3339, UTC, 9 digits."""
    texts = np.datetime_as_string(column.to_numpy().astype("datetime64[ns]"), unit="ns")
    return [f"{text}Z" for text in texts.tolist()]
