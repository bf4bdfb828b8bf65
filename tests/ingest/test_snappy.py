"""Snappy bodies within their bound."""

import contextlib

import google_crc32c
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.snappy import FRAMED, decompress
from logstore.errors import InvalidInput, LogstoreError, TooLarge


def block(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="snappy", asbytes=True))


def frame(kind: int, content: bytes, checked: bytes) -> bytes:
    checksum = google_crc32c.value(checked)
    masked = (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    chunk = masked.to_bytes(4, "little") + content
    return bytes([kind]) + len(chunk).to_bytes(3, "little") + chunk


@given(st.binary(max_size=1000))
def test_a_block_and_frames_come_back(content: bytes) -> None:
    assert decompress(block(content), 1000) == content
    padding = b"\xfe\x03\x00\x00abc"
    framed = FRAMED + frame(0, block(content), content) + padding + frame(1, content, content)
    assert decompress(framed, 2000) == content * 2


def test_a_declared_length_over_the_limit_takes_no_memory() -> None:
    with pytest.raises(TooLarge, match="max_body"):
        decompress(b"\xff\xff\xff\xff\x0f" + b"\0", 1 << 20)
    piece = bytes(60_000)
    with pytest.raises(TooLarge, match="max_body"):
        decompress(FRAMED + frame(0, block(piece), piece) * 3, 130_000)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "length"),
        (b"\xff" * 9, "length"),
        (b"\x05\x10", "damaged"),
        (FRAMED + b"\x00\x09\x00\x00", "breaks off"),
        (FRAMED + frame(1, b"a", b"b"), "checksum"),
        (FRAMED + b"\x02\x00\x00\x00", "unknown kind 2"),
    ],
)
def test_what_is_damaged_is_named(body: bytes, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        decompress(body, 1000)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_content_or_an_error(body: bytes, is_framed: bool) -> None:
    with contextlib.suppress(LogstoreError):
        assert len(decompress(FRAMED * is_framed + body, 1000)) <= 1000
