"""What a decoder made of a body, as a test reads it."""

import json
from typing import Any

import pyarrow as pa

from ingest.request import Decoded
from logstore.record import SCHEMA

NOW_NS = 1_790_000_000_123_456_789
_OBJECTS = ("labels", "attributes")


def rows_of(decoded: Decoded) -> list[dict[str, Any]]:
    """All columns; `time` in nanoseconds, labels and attributes as objects, empty where there are none."""
    return [row | {name: json.loads(row[name] or "{}") for name in _OBJECTS} for row in _rows(decoded)]


def records(decoded: Decoded) -> list[dict[str, Any]]:
    """The same without what they do not say."""
    told = [row | {name: json.loads(row[name]) for name in _OBJECTS if row[name]} for row in _rows(decoded)]
    return [{name: value for name, value in row.items() if value not in ("", None)} for row in told]


def _rows(decoded: Decoded) -> list[dict[str, Any]]:
    decoded.batch.validate(full=True)
    assert decoded.batch.schema == SCHEMA
    times = decoded.batch.column("time").cast(pa.int64())
    rows: list[dict[str, Any]] = decoded.batch.set_column(0, "time", times).to_pylist()
    return rows
