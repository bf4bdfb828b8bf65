"""Between ASGI and the values of protocols: a request's head, who sends it, and an answer's response."""

import re
from typing import Final

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Scope

from ingest.protocol import Answer
from ingest.request import Head, Sender

_PRODUCT: Final = re.compile(r"[!-.0-~]+")
"""The first product of a User-Agent without its version, which changes while the sender stays the same."""


def head_of(scope: Scope) -> Head:
    """Method, path, query parameters and headers of a request; of those that are repeated the last, but for
    `Content-Encoding`, whose values are joined."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        known = headers.get(key := name.decode("latin-1").lower())
        headers[key] = f"{known},{text}" if known and key == "content-encoding" else text
    query: bytes = scope["query_string"]
    params = dict(QueryParams(query.decode("latin-1"))) if query else {}
    return Head(scope["method"], scope["path"], params, headers)


def sender_of(scope: Scope, head: Head) -> Sender:
    """The peer of a request, and the program that it says it is."""
    address, _ = scope.get("client") or ("", 0)
    return sender_named(address, head.headers.get("user-agent", ""))


def sender_named(address: str, user_agent: str) -> Sender:
    """The same, of a peer's address and what it says of itself."""
    product = _PRODUCT.match(user_agent)
    return Sender.at(address, product.group() if product else "")


def response_of(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.media_type or None)
