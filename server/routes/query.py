"""GET and POST /api/v1/query: a query in, its rows out while they are found."""

import time
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from logstore.errors import InvalidInput
from query import execute
from query import request as queries
from query.encode import MEDIA_TYPES, Format, encode
from query.engine import Engine
from query.times import parse_time_ns
from server.asking import CancellableEngine
from server.body import BodyLimits, BodyReader
from server.encoding import negotiate, parse_weights
from server.hints import HEADER as HINT
from server.hints import hint_of
from server.outcome import Outcome
from server.params import Params, from_body, from_query_string
from server.service import Service
from server.streaming import ChunkedAnswer, Chunks

AnyParams = TypeVar("AnyParams", bound=Params)

BODY_MAX_BYTES: Final = 1024 * 1024

TIME_FORMS: Final = (
    "RFC 3339, epoch seconds, milliseconds, microseconds or nanoseconds, now, or a duration such as 15m before now"
)


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_as_text)]
"""A text that a JSON body may write as a number."""


class RangeParams(Params):
    """A query and a time range: what every reading route takes."""

    q: Text = Field("*", description="the query; none: every record")
    start: Text = Field("", description=f"first time, inclusive: {TIME_FORMS}; none: from the first record")
    end: Text = Field("", description="time to stop before, in the same forms; +15m is after now; none: everything")

    def text(self) -> str:
        return self.q if self.q.strip() else "*"

    def window(self, now_ns: int) -> tuple[int | None, int | None]:
        """Start and end in nanoseconds. Raises InvalidInput."""
        return time_of("start", self.start, now_ns), time_of("end", self.end, now_ns)


class QueryParams(RangeParams):
    """Parameters of /api/v1/query."""

    limit: int | None = Field(
        None, ge=0, le=2**62, description="rows at most; 0: all; none: 1000, unless the query bounds itself"
    )
    order: Literal["asc", "desc"] = Field("desc", description="of time: desc is newest first")
    cursor: Text = Field("", description="next page: the cursor of an answer's @end line")
    meta: bool = Field(False, description="true: records have their number, _seq")
    format: Literal["", "ndjson", "json", "csv", "arrow", "parquet", "text"] = Field(
        "", description="ndjson, json, csv, arrow, parquet or text; none: by the Accept header, else ndjson"
    )

    def request(self, form: Format = Format.NDJSON) -> queries.Request:
        """What is asked for. Raises InvalidInput."""
        now_ns = time.time_ns()
        start_ns, end_ns = self.window(now_ns)
        return queries.Request(
            text=self.text(),
            start_ns=start_ns,
            end_ns=end_ns,
            limit=self.limit,
            order=self.order,
            cursor=self.cursor,
            with_seq=self.meta,
            dynamic="json" if form in (Format.NDJSON, Format.JSON) else "text",
            now_ns=now_ns,
        )


class Query:
    """The endpoint, a plain ASGI application."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with Outcome(self._service.telemetry.query):
            request = Request(scope)
            params = await params_of(QueryParams, request, receive, self._service)
            form = Format(params.format or _accepted(request.headers.get("accept")))
            engine = CancellableEngine(self._service.engine)
            answer = ChunkedAnswer(
                lambda: self._run(engine, params, form),
                engine.cancel,
                self._service.query_threads,
                None if form is Format.PARQUET else negotiate(request.headers.get("accept-encoding")),
            )
            await answer(scope, receive, send)

    def _run(self, engine: Engine, params: QueryParams, form: Format) -> Chunks:
        asked = params.request(form)
        answer = execute.run(self._service.store, engine, asked)
        headers = {}
        if hint := hint_of(asked.text, asked.now_ns):
            headers[HINT] = hint
        if params.limit is None and form is not Format.NDJSON and answer.settle() and answer.end.truncated:
            headers |= {"logstore-truncated": "true", "logstore-cursor": answer.end.cursor}
        return Chunks(
            pieces=encode(answer, form),
            close=answer.close,
            media_type=MEDIA_TYPES[form],
            headers=headers,
            can_carry_errors=form is Format.NDJSON,
        )


async def params_of(model: type[AnyParams], request: Request, receive: Receive, service: Service) -> AnyParams:
    """The parameters of a GET, or of a POST with a JSON object or a form.

    Raises:
        InvalidInput, TooLarge: the parameters, or the body.
    """
    if request.method != "POST":
        return from_query_string(model, request.scope["query_string"])
    limits = BodyLimits(BODY_MAX_BYTES, "a query's body", service.settings.receive_timeout, 1.0)
    reader = BodyReader(request.scope, receive, service.bodies, limits)
    try:
        body = await reader.read()
    finally:
        reader.release()
    content_type = request.headers.get("content-type", "")
    return from_body(model, body, content_type, request.scope["query_string"])


def time_of(name: str, text: str, now_ns: int) -> int | None:
    """A time parameter in nanoseconds; None where it is empty. Raises InvalidInput."""
    if not text.strip():
        return None
    try:
        return parse_time_ns(text, now_ns)
    except InvalidInput as error:
        raise InvalidInput(f"parameter {name!r}: {error}") from None


def _accepted(accept: str | None) -> str:
    """The format with the greatest weight in an Accept header; ndjson where it names none of ours."""
    weights = parse_weights(accept or "")
    known = {media_type.partition(";")[0]: form for form, media_type in MEDIA_TYPES.items()}
    offers: list[tuple[float, Any]] = [(weight, known[name]) for name, weight in weights.items() if name in known]
    best = max(offers, key=lambda offer: offer[0], default=(0.0, Format.NDJSON))
    return str(best[1] if best[0] > 0 else Format.NDJSON)
