"""What a decoder made of a body, as a test reads it."""

import json
from typing import Any

import pyarrow as pa

from ingest.request import Decoded
from logstore.record import SCHEMA

NOW_NS = 1_790_000_000_123_456_789


def records(decoded: Decoded) -> list[dict[str, Any]]:
    """The records, without what they do not say; `time` in nanoseconds, labels and attributes as objects."""
    decoded.batch.validate(full=True)
    assert decoded.batch.schema == SCHEMA
    times = decoded.batch.column("time").cast(pa.int64()).to_pylist()
    rows = decoded.batch.drop_columns(["time"]).to_pylist()
    return [_told(row) | {"time": time_ns} for row, time_ns in zip(rows, times, strict=True)]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    objects = {name: json.loads(row[name]) for name in ("labels", "attributes") if row[name]}
    return {name: value for name, value in (row | objects).items() if value not in ("", None)}
