"""Who may enter: what a request must show, and what its client is told where it does not."""

from dataclasses import dataclass, replace
from typing import Final

from starlette.responses import Response

from ingest.protocol import CHALLENGE, Probe, Protocol, Refusal
from ingest.request import Head
from server.asgi import response_of
from server.auth import Tokens
from server.errors import message_response
from server.mounts import Found

HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Answered without a token, and before the store is open."""

PAGE_PATHS: Final = frozenset({"/", "/docs", "/openapi.json"})
"""Answered without a token, as is `/ui/`: the program's own files, no data; the page asks its user for the token."""

REASONS: Final = {401: "unauthorized", 403: "cross_site", 503: "not_ready"}
"""The word in metrics for the status of a refusal."""

RETRY_S: Final = 1


@dataclass(slots=True)
class Readiness:
    """Whether the store is open; until then, and after a stop began, only the health paths answer."""

    is_ready: bool = False
    reason: str = "the server is starting"


class Access:
    """The rules for all paths. A protocol says where else its clients carry a token, and which probes carry none."""

    def __init__(self, readiness: Readiness, tokens: Tokens | None) -> None:
        self._readiness = readiness
        self._tokens = tokens

    def refusal(self, head: Head, found: Found | None) -> Refusal | None:
        """Why a request is not let in; None if it is."""
        path = head.path
        if found is None and (path in HEALTH_PATHS or path in PAGE_PATHS or path.startswith("/ui/")):
            return None
        if not self._is_known(head, found):
            return Refusal(401, "a token is needed: send the header Authorization: Bearer TOKEN")
        if head.method not in ("GET", "HEAD") and head.headers.get("sec-fetch-site") == "cross-site":
            return Refusal(403, "requests from the pages of other sites are not taken")
        if not self._readiness.is_ready:
            return Refusal(503, self._readiness.reason, retry_after_s=RETRY_S)
        return None

    def _is_known(self, head: Head, found: Found | None) -> bool:
        if self._tokens is None or (found is not None and _is_open(found)):
            return True
        other = found.mount.protocol.credential(head) if found is not None else ""
        return self._tokens.admit(head.headers.get("authorization"), other)


def refused(head: Head, protocol: Protocol | None, refusal: Refusal) -> Response:
    """The answer to a request that was not let in, as the clients of its protocol understand it."""
    headers = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
    if refusal.status == 401:
        headers["www-authenticate"] = protocol.challenge if protocol is not None else CHALLENGE
    if protocol is None:
        return message_response(refusal.status, refusal.message, headers)
    answer = protocol.refuse(head, refusal)
    return response_of(replace(answer, headers={**headers, **answer.headers}))


def _is_open(found: Found) -> bool:
    endpoint = found.mount.endpoint
    return isinstance(endpoint, Probe) and endpoint.is_open
