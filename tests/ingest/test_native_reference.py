"""The C decoder against the naive reference, over random bodies."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols.native import decode
from ingest.request import Head, Limits, Request
from tests.ingest.bodies import Bodies
from tests.reference import records as reference
from tests.reference.strict_json import strict_object

NOW_NS = 1_790_000_000 * 10**9
TEXT = Head(headers={"content-type": "text/plain"})
PARAMS = {"namespace": "shop", "stream": "stdout"}


def as_dicts(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The batch as the reference writes records."""
    batch.validate(full=True)
    times = batch.column("time").cast(pa.int64()).to_pylist()
    rows: list[dict[str, Any]] = batch.drop_columns(["time"]).to_pylist()
    for row, time_ns in zip(rows, times, strict=True):
        row["time"] = time_ns
        for name in ("labels", "attributes"):
            if row[name] is not None:
                text = row[name]
                row[name] = strict_object(text)
                if name == "labels":
                    assert list(row[name]) == sorted(row[name], key=str.encode), text
    return rows


def check(body: bytes, *, is_text: bool = False, max_line_bytes: int = 1 << 24) -> None:
    content_type = "text/plain; charset=utf-8" if is_text else "application/json"
    limits = Limits(max_line_bytes=max_line_bytes)
    decoded = decode(Request(body, NOW_NS, Head(params=PARAMS, headers={"content-type": content_type}), limits))
    settings = reference.Settings(NOW_NS, PARAMS, max_line_bytes)
    expected = reference.decode(body, settings, is_text=is_text)
    assert as_dicts(decoded.batch) == expected.records, body
    assert [reject.line for reject in decoded.rejects] == expected.rejected, (body, decoded.rejects)


@pytest.mark.parametrize("kind", [Bodies.ndjson, Bodies.array])
@pytest.mark.parametrize("block", range(4))
def test_json_bodies_are_read_as_the_reference_reads_them(kind: Callable[[Bodies], bytes], block: int) -> None:
    for seed in range(block * 1000, block * 1000 + 1000):
        check(kind(Bodies(seed)), max_line_bytes=200 if seed % 10 == 0 else 1 << 24)


def test_text_bodies_are_read_as_the_reference_reads_them() -> None:
    for seed in range(1000):
        check(Bodies(seed).text(), is_text=True, max_line_bytes=200 if seed % 10 == 0 else 1 << 24)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_the_reference_reads_them(body: bytes) -> None:
    check(body)
    check(body, is_text=True)


@given(st.text())
def test_any_message_comes_back_exactly(message: str) -> None:
    text = message.encode("utf-8", "replace").decode()
    lines = text.split("\n")
    decoded = decode(Request(text.encode(), NOW_NS, TEXT))
    assert decoded.batch.column("message").to_pylist() == (lines[:-1] if lines[-1] == "" else lines)


@given(st.binary())
def test_bytes_that_are_not_utf8_can_be_restored(message: bytes) -> None:
    line = message.replace(b"\n", b"")
    decoded = decode(Request(line + b"\n", NOW_NS, TEXT))
    [row] = decoded.batch.to_pylist()
    if row["attributes"] is None:
        assert row["message"].encode() == line
    else:
        assert row["attributes"] == '{"_escape":"backslash"}'
        assert restored(row["message"]) == line


def restored(message: str) -> bytes:
    """What the documentation says: `\\\\` is a backslash, `\\xNN` is that byte."""
    out = bytearray()
    raw = message.encode()
    at = 0
    while at < len(raw):
        if raw[at : at + 2] == b"\\\\":
            out += b"\\"
            at += 2
        elif raw[at : at + 2] == b"\\x":
            out.append(int(raw[at + 2 : at + 4], 16))
            at += 4
        else:
            out.append(raw[at])
            at += 1
    return bytes(out)
