"""The web page at `/` and the description of the API at `/docs`: files of this package, nothing from outside."""

import hashlib
from functools import lru_cache
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from server.errors import message_response

MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
}
SECURITY: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_PAGES: Final = {"": "index.html", "docs": "docs.html"}


async def page(request: Request) -> Response:
    """`/` is index.html, `/docs` docs.html, `/ui/NAME` the file of that name."""
    name = request.path_params.get("name") or _PAGES[request.url.path.strip("/")]
    found = _file(name)
    if found is None:
        return message_response(404, f"there is no page {request.url.path}")
    content, etag = found
    headers = {**SECURITY, "etag": etag}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response(content, headers=headers, media_type=media_type)


@lru_cache(maxsize=64)
def _file(name: str) -> tuple[bytes, str] | None:
    stem, _, ending = name.rpartition(".")
    if ending not in MEDIA_TYPES or not stem.replace("-", "").replace("_", "").isalnum():
        return None
    file = resources.files("server").joinpath("ui", name)
    if not file.is_file():
        return None
    content = file.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags
