"""The reading routes whose answers are small and whole: explain, histogram, fields, values, context."""

import time
from collections.abc import Callable

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from logstore.errors import InvalidInput
from query import request as queries
from query.context import DEFAULT_LINES, MAX_LINES, context
from query.encode import MEDIA_TYPES, Format, encode
from query.engine import Engine
from query.explain import explain
from query.fields import fields
from query.histogram import DEFAULT_BUCKETS, MAX_BUCKETS, Buckets, histogram
from query.times import parse_duration_ns
from query.values import DEFAULT_VALUES, MAX_VALUES, Wanted, values
from server.asking import ask
from server.body import ClientGone
from server.encoding import encode_whole, negotiate
from server.errors import to_json
from server.outcome import Outcome
from server.params import Params
from server.routes.query import AnyParams, QueryParams, RangeParams, Text, params_of
from server.service import Service

JSON_TYPE = "application/json"
CLIENT_GONE = 499
"""Nobody reads this status but the metrics; its number is nginx's."""


class ExplainParams(QueryParams):
    """Parameters of /api/v1/explain."""

    analyze: bool = Field(False, description="true: runs the query too, and tells what it reads and how long it takes")


class HistogramParams(RangeParams):
    """Parameters of /api/v1/histogram."""

    interval: str = Field("", description="length of a bucket, such as 5m; none: by the number of buckets")
    buckets: int = Field(DEFAULT_BUCKETS, ge=1, le=MAX_BUCKETS, description="buckets at most")
    by: str = Field("", description="a field whose values are counted apart, such as severity")


class ValuesParams(RangeParams):
    """Parameters of /api/v1/values."""

    field: Text = Field(description="a column, attribute or label")
    prefix: Text = Field("", description="what the values begin with; case counts")
    limit: int = Field(DEFAULT_VALUES, ge=1, le=MAX_VALUES, description="values at most")


class ContextParams(Params):
    """Parameters of /api/v1/context."""

    seq: int = Field(ge=0, lt=2**63, description="the number of a record, its _seq")
    before: int = Field(DEFAULT_LINES, ge=0, le=MAX_LINES, description="lines before it")
    after: int = Field(DEFAULT_LINES, ge=0, le=MAX_LINES, description="lines after it")
    meta: bool = Field(False, description="true: records have their number, _seq")


class Reading:
    """Endpoints over the query engine."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def explain(self, request: Request) -> Response:
        """What a query would read, and why it skips the rest."""
        return await self._answer(request, ExplainParams, self._explain)

    async def histogram(self, request: Request) -> Response:
        """How many records when."""
        return await self._answer(request, HistogramParams, self._histogram)

    async def fields(self, request: Request) -> Response:
        """Which fields the records have, of what type, and how often."""
        return await self._answer(request, RangeParams, self._fields)

    async def values(self, request: Request) -> Response:
        """Which values a field has, and how often."""
        return await self._answer(request, ValuesParams, self._values)

    async def context(self, request: Request) -> Response:
        """The lines around a record in its own container and stream, as NDJSON."""
        return await self._answer(request, ContextParams, self._context, MEDIA_TYPES[Format.NDJSON])

    async def _answer(
        self,
        request: Request,
        model: type[AnyParams],
        make: Callable[[AnyParams, Engine], bytes],
        media_type: str = JSON_TYPE,
    ) -> Response:
        try:
            with Outcome(self._service.telemetry.query):
                params = await params_of(model, request, request.receive, self._service)
                coding = negotiate(request.headers.get("accept-encoding"))
                content = await ask(self._service, request, lambda engine: make(params, engine))
                encoded, headers = await self._service.administer(encode_whole, content, coding)
                return Response(encoded, headers=headers, media_type=media_type)
        except ClientGone:
            return Response(status_code=CLIENT_GONE)

    def _explain(self, params: ExplainParams, engine: Engine) -> bytes:
        asked = params.request(Format(params.format or Format.NDJSON))
        return to_json(explain(self._service.store, engine, asked, analyze=params.analyze))

    def _histogram(self, params: HistogramParams, engine: Engine) -> bytes:
        buckets = Buckets(_interval_ns(params.interval), params.buckets, params.by)
        return to_json(histogram(self._service.store, engine, range_request(params), buckets))

    def _fields(self, params: RangeParams, engine: Engine) -> bytes:
        return to_json(fields(self._service.store, engine, range_request(params)))

    def _values(self, params: ValuesParams, engine: Engine) -> bytes:
        wanted = Wanted(params.field, params.prefix, params.limit)
        return to_json(values(self._service.store, engine, range_request(params), wanted))

    def _context(self, params: ContextParams, engine: Engine) -> bytes:
        found = context(self._service.store, engine, params.seq, params.before, params.after, with_seq=params.meta)
        return b"".join(encode(found, Format.NDJSON))


def range_request(params: RangeParams) -> queries.Request:
    now_ns = time.time_ns()
    start_ns, end_ns = params.window(now_ns)
    return queries.Request(params.text(), start_ns, end_ns, now_ns=now_ns)


def _interval_ns(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return parse_duration_ns(text)
    except InvalidInput as error:
        raise InvalidInput(f"parameter 'interval': {error}") from None
