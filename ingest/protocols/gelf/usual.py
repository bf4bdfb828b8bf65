"""Documents as they usually are, by the kernel of logstore/native/gelf.c."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from ingest.entries import Most, decode_most, entries_kernel
from ingest.identity import Resolved
from ingest.identity_table import Table
from ingest.json_body import read_json
from ingest.protocols.gelf.origin import resolve_origin, stream_of
from ingest.request import Request, Sender

_KERNEL: Final = entries_kernel("kernel_gelf")
_TABLES: Final = 4
_CACHED: Final = 1024
_CACHED_MAX_CHARACTERS: Final = 4096
_SENDER: Final = ""
"""The lifted member with the sender's address, the host, and perhaps the level."""


def decode_usual(request: Request) -> Most:
    """The documents of packed messages (`ingest.messages`).

    Raises:
        Unsure: a body that was not packed, or very much in it is unusual.
        TooLarge: more than `max_records`.
    """
    return decode_most(_KERNEL, request, _lifted(request.identity), _resolve, _sender_of)


@lru_cache(_TABLES)
def _lifted(table: Table) -> bytes:
    """What names tell, as the kernel wants it; `ingest.protocols.gelf.fields` tells the same of them."""
    return "\n".join(sorted(set(_names(table)))).encode()


def _names(table: Table) -> Iterator[str]:
    for path, (target, _) in table.targets.items():
        if path not in table.ambiguous and target != "severity":
            letter = {"trace_id": "t", "span_id": "s"}.get(target, "o")
            yield letter + path
    for path in table.patterns:
        if path not in table.ambiguous and path not in table.targets:
            yield "o" + path
    for prefix in table.pod_labels:
        yield "p" + prefix.removesuffix("_")


def _resolve(_base: str, lifted: str, table: Table) -> Resolved:
    find = _resolved if len(lifted) <= _CACHED_MAX_CHARACTERS else _resolved.__wrapped__
    return find(lifted, table)


@lru_cache(_CACHED)
def _resolved(lifted: str, table: Table) -> Resolved:
    told: dict[str, Any] = read_json(lifted.encode())
    peer, host, *level = told.pop(_SENDER)
    return resolve_origin(told, host or _address(peer), stream_of(told, *level or (-1,)), table)


def _sender_of(lifted: str) -> Sender:
    peer, host, *_ = read_json(lifted.encode())[_SENDER]
    return Sender.at(peer, host or _address(peer))


def _address(peer: str) -> str:
    return peer.removeprefix("::ffff:")
