"""Composes the routes into one ASGI application behind the gate."""

import difflib
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler

from logstore.errors import LogstoreError
from server.auth import Tokens
from server.errors import error_response, message_response
from server.gate import Gate, Readiness
from server.openapi import Operation, describe_also
from server.params import Params, openapi_parameters
from server.routes.health import Health
from server.routes.ingest import Ingest, IngestParams
from server.routes.pages import page
from server.routes.query import Query, QueryParams, RangeParams
from server.routes.reading import ContextParams, HistogramParams, Reading, ValuesParams
from server.routes.streams import NoParams, Streams
from server.routes.tail import Tail, TailParams
from server.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]

DESCRIPTION: Final = (
    "Container logs: taken over HTTP, durable once answered, kept as Parquet, queried and tailed."
    " Errors are JSON objects with `error` and, for a bad query, `position` and `hint`."
)

OPERATIONS: Final = [
    Operation(
        "post",
        "/api/v1/logs",
        "write",
        "Take records; they are durable and visible when it answers 200",
        IngestParams,
        {
            "application/x-ndjson": '{"time": "2026-03-01T12:00:00Z", "message": "hello", "level": "info"}',
            "application/json": '[{"message": "one"}, {"message": "two"}]',
            "text/plain": "one record a line",
        },
    ),
    Operation("get", "/api/v1/query", "read", "Run a query and stream its rows", QueryParams),
    Operation(
        "post",
        "/api/v1/query",
        "read",
        "The same, with the parameters in a JSON object or a form",
        QueryParams,
        {
            "application/json": '{"q": "error | stats count() by pod", "start": "-1h"}',
            "application/x-www-form-urlencoded": "q=error&start=-1h",
        },
    ),
    Operation("get", "/api/v1/tail", "read", "Records as they come, as NDJSON or server-sent events", TailParams),
]


def create_app(service: Service, readiness: Readiness, tokens: Tokens | None) -> Gate:
    """The application for one server; it answers 503 until `readiness` says otherwise."""
    app = FastAPI(title="logstore", description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.add_exception_handler(LogstoreError, cast(ExceptionHandler, _on_error))
    app.add_exception_handler(HTTPException, cast(ExceptionHandler, _on_http_error))
    _add_health(app, Health(service, readiness))
    _add_data(app, service)
    _add_pages(app)
    paths = frozenset(route.path for route in app.routes if isinstance(route, Route) and "{" not in route.path)
    app.state.paths = sorted(paths)
    return Gate(app, paths, service.telemetry, readiness, tokens)


def _add_health(app: FastAPI, health: Health) -> None:
    _add(app, "health", "/healthz", health.healthz)
    _add(app, "health", "/readyz", health.readyz)
    _add(app, "health", "/metrics", health.metrics)


def _add_data(app: FastAPI, service: Service) -> None:
    streams = Streams(service)
    _add_asgi(app, "/api/v1/logs", Ingest(service), ["GET", "POST"])
    _add_asgi(app, "/api/v1/query", Query(service), ["GET", "POST"])
    _add_asgi(app, "/api/v1/tail", Tail(service), ["GET"])
    reading = Reading(service)
    _add(app, "read", "/api/v1/explain", reading.explain, QueryParams)
    _add(app, "read", "/api/v1/histogram", reading.histogram, HistogramParams)
    _add(app, "read", "/api/v1/fields", reading.fields, RangeParams)
    _add(app, "read", "/api/v1/values", reading.values, ValuesParams)
    _add(app, "read", "/api/v1/context", reading.context, ContextParams)
    _add(app, "read", "/api/v1/streams", streams.streams, NoParams)
    _add(app, "administer", "/api/v1/flush", streams.flush, NoParams, ["POST"])
    describe_also(app, OPERATIONS)


def _add_pages(app: FastAPI) -> None:
    for path in ("/", "/docs", "/ui/{name}"):
        app.add_api_route(path, page, methods=["GET"], include_in_schema=False)


def _add(
    app: FastAPI,
    tag: str,
    path: str,
    endpoint: Endpoint,
    params: type[Params] | None = None,
    methods: list[str] | None = None,
) -> None:
    extra: dict[str, Any] = {"parameters": openapi_parameters(params)} if params is not None else {}
    app.add_api_route(path, endpoint, methods=methods or ["GET"], tags=[tag], response_model=None, openapi_extra=extra)


def _add_asgi(app: FastAPI, path: str, endpoint: ASGIApp, methods: list[str]) -> None:
    route = Route(path, endpoint=endpoint, methods=methods)
    route.methods = set(methods)  # without HEAD, which would do the work and drop the answer
    app.router.routes.append(route)


async def _on_error(_request: Request, error: LogstoreError) -> Response:
    return error_response(error)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    path = request.url.path
    if error.status_code == 404:
        found = difflib.get_close_matches(path, request.app.state.paths, n=1)
        hint = f"; did you mean {found[0]}?" if found else "; /docs lists what there is"
        return message_response(404, f"there is no {path}{hint}")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.method} is not allowed on {path}; use {allowed.replace(', ', ' or ')}"
        return message_response(405, message, {"allow": allowed})
    return message_response(error.status_code, str(error.detail), error.headers)
