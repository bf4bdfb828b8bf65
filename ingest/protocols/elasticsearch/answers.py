"""What all of Elasticsearch's answers have in common: the product's name, the content type, the form of errors."""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ingest.protocol import Answer, Refusal
from ingest.protocols.elasticsearch.filter_path import filtered
from ingest.request import Head

PRODUCT: Final[Mapping[str, str]] = {"X-Elastic-Product": "Elasticsearch"}
"""Without it clients refuse to talk."""
_COMPATIBLE: Final = re.compile(r"application/vnd\.elasticsearch\+json\s*;\s*compatible-with=(\d+)")
_TYPES: Final = {
    400: "illegal_argument_exception",
    401: "security_exception",
    404: "resource_not_found_exception",
    409: "version_conflict_engine_exception",
    413: "content_too_long_exception",
    429: "es_rejected_execution_exception",
    501: "unsupported_operation_exception",
}


def media_type(head: Head) -> str:
    """The versioned type, if the client asks for that."""
    asked = _COMPATIBLE.search(head.headers.get("accept", ""))
    return f"application/vnd.elasticsearch+json;compatible-with={asked[1]}" if asked else "application/json"


def answer(head: Head, told: Any, status: int = 200) -> Answer:
    """JSON without blanks, of it what `filter_path` names."""
    if wanted := head.params.get("filter_path"):
        told = filtered(told, wanted)
    return raw_answer(head, orjson.dumps(told), status)


def raw_answer(head: Head, body: bytes, status: int = 200) -> Answer:
    return Answer(status, body, media_type(head), PRODUCT)


def error(head: Head, status: int, reason: str) -> Answer:
    """An error of the whole request."""
    cause = {"type": _TYPES.get(status, "exception"), "reason": reason}
    return raw_answer(head, orjson.dumps({"error": {"root_cause": [cause], **cause}, "status": status}), status)


def refuse(head: Head, refusal: Refusal) -> Answer:
    return error(head, refusal.status, refusal.message)
