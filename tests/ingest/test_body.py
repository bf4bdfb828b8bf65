"""Inflating bodies: every coding, whole and cut and damaged, and never past the bound."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import inflate
from logstore.errors import InvalidInput, TooLarge

MAX = 1 << 20
TEXT = b"".join(b'{"message":"line %d"}\n' % i for i in range(5000))


def raw_deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, mtime=0),
    "zstd": zstandard.compress,
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
    "snappy": partial(pa.compress, codec="snappy", asbytes=True),
}


def declared(coding: str) -> str:
    return coding.removeprefix("raw ")


@pytest.mark.parametrize("coding", CODINGS)
@given(content=st.binary(max_size=5000))
def test_every_coding_is_undone(coding: str, content: bytes) -> None:
    assert inflate(CODINGS[coding](content), declared(coding), MAX) == content


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_several_members_are_one_body(coding: str) -> None:
    compress = CODINGS[coding]
    assert inflate(compress(TEXT) + compress(b"") + compress(TEXT), coding, MAX) == TEXT * 2


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_a_coding_that_nobody_declared_is_seen(coding: str) -> None:
    assert inflate(CODINGS[coding](TEXT), "", MAX) == TEXT
    assert inflate(CODINGS[coding](TEXT), "identity", MAX) == TEXT


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (zlib.compress(TEXT), "gzip,deflate"),
        (zlib.compress(gzip.compress(TEXT, mtime=0)), "gzip, deflate"),
        (gzip.compress(zstandard.compress(TEXT), mtime=0), "zstd, GZIP"),
        (zstandard.compress(TEXT), "gzip"),
        (gzip.compress(TEXT, mtime=0), "x-gzip"),
    ],
)
def test_headers_that_name_several_or_another_coding(body: bytes, encoding: str) -> None:
    assert inflate(body, encoding, MAX) == TEXT


@pytest.mark.parametrize("body", [b"", b"x^2 + y^2", b"x\x9c", b"{}", b"\x28\xb5"])
def test_what_is_not_compressed_stays(body: bytes) -> None:
    assert inflate(body, "", MAX) == body


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_that_ends_too_early_is_refused(coding: str) -> None:
    whole = CODINGS[coding](TEXT)
    for length in (5, 20, len(whole) // 2, len(whole) - 1):
        with pytest.raises(InvalidInput):
            inflate(whole[:length], declared(coding), MAX)


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_a_damaged_body_is_refused(coding: str) -> None:
    # A frame of zstd carries a checksum only on request.
    compress = zstandard.ZstdCompressor(write_checksum=True).compress if coding == "zstd" else CODINGS[coding]
    whole = bytearray(compress(TEXT))
    whole[len(whole) // 2] ^= 0x55
    with pytest.raises(InvalidInput):
        inflate(bytes(whole), coding, MAX)
    with pytest.raises(InvalidInput):
        inflate(compress(TEXT) + b"junk", coding, MAX)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_that_is_not_what_was_declared_is_refused(coding: str) -> None:
    with pytest.raises(InvalidInput, match=coding):
        inflate(b'{"message":"plain"}', coding, MAX)


def test_an_unknown_coding_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="'br'"):
        inflate(b"x", "br", MAX)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_stopped_while_it_goes_off(coding: str) -> None:
    bomb = CODINGS[coding](bytes(200 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="max_body"):
            inflate(bomb, declared(coding), MAX)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX
    finally:
        tracemalloc.stop()


def test_a_body_of_very_many_members_is_refused() -> None:
    with pytest.raises(InvalidInput, match="members"):
        inflate(gzip.compress(b"") * 70_000, "gzip", 1 << 30)


def test_the_bound_is_exact() -> None:
    for coding in CODINGS:
        assert inflate(CODINGS[coding](TEXT), declared(coding), len(TEXT)) == TEXT
        with pytest.raises(TooLarge):
            inflate(CODINGS[coding](TEXT), declared(coding), len(TEXT) - 1)
    with pytest.raises(TooLarge):
        inflate(TEXT, "", len(TEXT) - 1)
