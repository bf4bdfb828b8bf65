"""What clients ask before, or between, their documents: who is there, the licence, templates and policies."""

import re
from collections.abc import Callable
from typing import Any, Final

from ingest.protocol import Answer, Probe
from ingest.protocols.elasticsearch import answers
from ingest.request import Head

VERSION: Final = "8.17.0"
_BEAT: Final = re.compile(r"Elastic-(?:\w*beat|agent)/(\d+\.\d+\.\d+)", re.IGNORECASE)
_CLIENTS: Final = re.compile("elastic|opensearch|logstash|beat|fluent|vector|rsyslog|manticore|faraday", re.IGNORECASE)
_ANY: Final = ("GET", "POST")
_NEVER_MS: Final = 4_102_444_800_000


def _who(head: Head, _body: bytes) -> Answer:
    return answers.answer(
        head,
        {
            "name": "logstore",
            "cluster_name": "logstore",
            "cluster_uuid": "bG9nc3RvcmUtY2x1c3Rlcg",
            "version": {
                "number": _version(head),
                "build_flavor": "default",
                "build_type": "docker",
                "build_hash": "0000000000000000000000000000000000000000",
                "build_date": "2025-01-01T00:00:00.000000000Z",
                "build_snapshot": False,
                "lucene_version": "9.12.0",
                "minimum_wire_compatibility_version": "7.17.0",
                "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": "You Know, for Search",
        },
    )


def _version(head: Head) -> str:
    """A Beat refuses a server that is older than itself: it is told its own version, if that is higher."""
    asked = _BEAT.search(head.headers.get("user-agent", ""))
    return max(VERSION, asked[1], key=lambda text: [int(part) for part in text.split(".")]) if asked else VERSION


def _asks_for_elasticsearch(head: Head) -> bool:
    """At the root a browser gets the page."""
    accept = head.headers.get("accept", "")
    if head.path != "/":
        return True
    if "text/html" in accept:
        return False
    return "json" in accept or bool(_CLIENTS.search(head.headers.get("user-agent", "")))


def _names_index(head: Head) -> bool:
    """An index, or date math in which one may stand: `<logstash-{now/d}-000001>`."""
    name = head.path.rpartition("/")[2]
    return "/<" in head.path or (name == name.lower() and not name.startswith(("_", "-", "+", ".")))


def _told(content: Any) -> Callable[[Head, bytes], Answer]:
    return lambda head, _body: answers.answer(head, content)


def _made(head: Head, _body: bytes) -> Answer:
    index = head.segments.get("index")
    made: dict[str, Any] = {"acknowledged": True}
    return answers.answer(head, made | {"shards_acknowledged": True, "index": index} if index else made)


def _unsupported(head: Head, _body: bytes) -> Answer:
    return answers.error(
        head, 501, f"{head.path} is not supported: documents are taken here and queried with GET /api/v1/query"
    )


_NAMED: Final = (
    "/_index_template/{name}",
    "/_template/{name}",
    "/_component_template/{name}",
    "/_ilm/policy/{name}",
    "/_slm/policy/{name}",
    "/_ingest/pipeline/{name}",
    "/_data_stream/{name}",
    "/_alias/{name}",
    "/_aliases",
    "/{index}/_alias/{name}",
    "/{index}/_mapping",
    "/{index}/_settings",
    "/_cluster/settings",
)
_SHARDS: Final = {"_shards": {"total": 1, "successful": 1, "failed": 0}}
_LICENSE: Final = {
    "license": {
        "status": "active",
        "uid": "00000000-0000-0000-0000-000000000000",
        "type": "basic",
        "mode": "basic",
        "expiry_date_in_millis": _NEVER_MS,
    }
}
_XPACK: Final = {
    "license": {"status": "active", "type": "basic", "mode": "basic"},
    "features": {"ilm": {"available": True, "enabled": True}, "security": {"available": True, "enabled": False}},
}
_HEALTH: Final = {
    "cluster_name": "logstore",
    "status": "green",
    "timed_out": False,
    "number_of_nodes": 1,
    "number_of_data_nodes": 1,
    "active_primary_shards": 1,
    "active_shards": 1,
    "active_shards_percent_as_number": 100.0,
}

PROBES: Final = (
    Probe(("GET", "HEAD"), ("", "/"), _who, _asks_for_elasticsearch),
    Probe(("GET", "HEAD"), ("/_license",), _told(_LICENSE)),
    Probe(("GET", "HEAD"), ("/_xpack",), _told(_XPACK)),
    Probe(("GET", "HEAD"), ("/_cluster/health", "/_cluster/health/{index}"), _told(_HEALTH)),
    Probe(("GET", "HEAD"), ("/_cat/health", "/_cat/indices", "/_cat/indices/{index}", "/_cat/nodes"), _told([])),
    Probe(
        ("GET", "HEAD"),
        ("/_nodes", "/_nodes/http", "/_nodes/_all", "/_nodes/_all/http", "/_nodes/_local"),
        _told({"_nodes": {"total": 1, "successful": 1, "failed": 0}, "cluster_name": "logstore", "nodes": {}}),
    ),
    Probe(("GET", "HEAD"), _NAMED, _told({})),
    Probe(("PUT", "POST", "DELETE"), _NAMED, lambda head, _body: answers.answer(head, {"acknowledged": True})),
    Probe(_ANY, ("/_refresh", "/_flush", "/{index}/_refresh", "/{index}/_flush"), _told(_SHARDS)),
    Probe(
        _ANY,
        (
            *("/_search", "/_msearch", "/_count", "/_mapping", "/_field_caps"),
            *("/{index}/_search", "/{index}/_msearch", "/{index}/_count", "/{index}/_field_caps"),
        ),
        _unsupported,
    ),
    Probe(("HEAD",), ("/{index}",), _told({}), _names_index),
    Probe(("PUT",), ("/{index}", "/{part}/{of_date_math}"), _made, _names_index),
)
"""HEAD and GET find whatever is asked for, so that no client needs to make it; what one makes all the same is
acknowledged. Indices need not be made, nor have they settings."""
