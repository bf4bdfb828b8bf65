"""Composes the routes into one ASGI application behind the gate."""

import difflib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler, Receive, Scope, Send

from ingest.protocols import PROTOCOLS
from logstore.errors import LogstoreError
from server.access import Access, Readiness
from server.auth import Tokens
from server.errors import SERVER_FAULT, error_response, message_response
from server.gate import FOUND, HEAD, Gate
from server.mounts import Found, Mounts
from server.openapi import Operation, describe_also
from server.params import Params, openapi_parameters
from server.routes.health import Health
from server.routes.ingest import Ingest, IngestParams
from server.routes.pages import page
from server.routes.query import Query, QueryParams, RangeParams
from server.routes.reading import ContextParams, ExplainParams, HistogramParams, Reading, ValuesParams
from server.routes.sources import SourcesParams, SourcesRoute
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
    Operation(
        "post",
        "/api/v1/documents",
        "write",
        "Take documents of agents, who say in them where each comes from",
        IngestParams,
        {
            "application/x-ndjson": '{"log": "hello", "kubernetes": {"namespace_name": "shop", "pod_name": "web-1"}}',
            "application/json": '[{"message": "one"}, {"message": "two"}]',
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
    Operation(
        "post",
        "/api/v1/explain",
        "read",
        "What a query would read, with the parameters in a JSON object or a form",
        ExplainParams,
        {
            "application/json": '{"q": "error | stats count() by pod", "start": "-1h", "analyze": true}',
            "application/x-www-form-urlencoded": "q=error&start=-1h&analyze=true",
        },
    ),
    Operation("get", "/api/v1/tail", "read", "Records as they come, as NDJSON or server-sent events", TailParams),
]


def create_app(service: Service, readiness: Readiness, tokens: Tokens | None) -> Gate:
    """The application for one server; it answers 503 until `readiness` says otherwise."""
    app = FastAPI(title="logstore", description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.add_exception_handler(LogstoreError, cast(ExceptionHandler, _on_error))
    app.add_exception_handler(HTTPException, cast(ExceptionHandler, _on_http_error))
    app.add_exception_handler(Exception, _on_fault)
    _add_health(app, Health(service, readiness))
    _add_reading(app, service)
    _add_pages(app)
    describe_also(app, OPERATIONS)
    endpoints = {
        "/api/v1/query": PlainEndpoint(Query(service), ("GET", "POST")),
        "/api/v1/tail": PlainEndpoint(Tail(service), ("GET",)),
    }
    paths = {route.path for route in app.routes if isinstance(route, Route) and "{" not in route.path}
    mounts = Mounts(PROTOCOLS)
    app.state.paths = sorted(paths | set(endpoints) | mounts.paths)
    switch = Switch(app, frozenset(paths), endpoints, mounts, Ingest(service))
    routes = frozenset(app.state.paths)
    return Gate(switch, routes, mounts, Access(readiness, tokens), service.telemetry, service.sources)


@dataclass(frozen=True, slots=True)
class PlainEndpoint:
    """A path that is served without a framework: what it raises reaches the gate as it is."""

    app: ASGIApp
    methods: tuple[str, ...]


class Switch:
    """Sends each request to the plain endpoint of its path, to a protocol's, or else to the framework."""

    def __init__(
        self,
        framework: ASGIApp,
        paths: frozenset[str],
        endpoints: Mapping[str, PlainEndpoint],
        mounts: Mounts,
        ingest: Ingest,
    ) -> None:
        self._framework = framework
        self._framework_paths = paths
        self._endpoints = endpoints
        self._mounts = mounts
        self._ingest = ingest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if endpoint := self._endpoints.get(path):
            app = endpoint.app if method in endpoint.methods else _not_allowed(method, path, endpoint.methods)
            await app(scope, receive, send)
            return
        found: Found | None = scope[FOUND]
        if found is not None:
            await self._ingest(found.mount, scope[HEAD], scope, receive, send)
        elif path not in self._framework_paths and (methods := self._mounts.methods(path)):
            await _not_allowed(method, path, methods)(scope, receive, send)
        else:
            await self._framework(scope, receive, send)


def _add_health(app: FastAPI, health: Health) -> None:
    _add(app, "health", "/healthz", health.healthz)
    _add(app, "health", "/readyz", health.readyz)
    _add(app, "health", "/metrics", health.metrics)


def _add_reading(app: FastAPI, service: Service) -> None:
    streams = Streams(service)
    reading = Reading(service)
    for method in ("GET", "POST"):
        _add(app, "read", "/api/v1/explain", reading.explain, ExplainParams, [method])
    _add(app, "read", "/api/v1/histogram", reading.histogram, HistogramParams)
    _add(app, "read", "/api/v1/fields", reading.fields, RangeParams)
    _add(app, "read", "/api/v1/values", reading.values, ValuesParams)
    _add(app, "read", "/api/v1/context", reading.context, ContextParams)
    _add(app, "read", "/api/v1/streams", streams.streams, NoParams)
    _add(app, "read", "/api/v1/sources", SourcesRoute(service).sources, SourcesParams)
    _add(app, "administer", "/api/v1/flush", streams.flush, NoParams, ["POST"])


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


async def _on_error(_request: Request, error: LogstoreError) -> Response:
    return error_response(error)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    path = request.url.path
    if error.status_code == 404:
        found = difflib.get_close_matches(path, request.app.state.paths, n=1)
        hint = f"; did you mean {found[0]}?" if found else "; /docs lists what there is"
        return message_response(404, f"there is no {path}{hint}")
    if error.status_code == 405:
        methods = tuple((error.headers or {}).get("Allow", "").replace(" ", "").split(","))
        return _not_allowed(request.method, path, methods)
    return message_response(error.status_code, str(error.detail), error.headers)


async def _on_fault(_request: Request, _error: Exception) -> Response:
    return message_response(500, SERVER_FAULT)


def _not_allowed(method: str, path: str, methods: tuple[str, ...]) -> Response:
    message = f"{method} is not allowed on {path}; use {' or '.join(methods)}"
    return message_response(405, message, {"allow": ", ".join(methods)})
