"""Request bodies inflated within a bound: gzip, zstd, deflate, as declared or as their first bytes say; and snappy, a
block or frames, as declared.

The bound is checked while inflating, so that a small body cannot become a large one. Several members or frames,
one after the other, are one body (RFC 1952 §2.2, RFC 8878 §3.1). `deflate` is the zlib format (RFC 9110
§8.4.1.2), or raw, as some agents send it. The first bytes
tell more than the header: an agent that names one of these codings and applies another is understood.
"""

import zlib
from typing import Final

import pyarrow as pa

from ingest import snappy
from logstore.errors import InvalidInput, TooLarge

_SNAPPY: Final = ("snappy", "x-snappy-framed")
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = frozenset(bytes([low, 0x2A, 0x4D, 0x18]) for low in range(0x50, 0x60))
_FIRST_STEP_BYTES: Final = 1 << 12
_STEP_BYTES: Final = 1 << 20
_MEMBERS_MAX: Final = 1 << 16
_CODINGS_MAX: Final = 4
_RAW, _ZLIB, _GZIP_WRAPPER = -zlib.MAX_WBITS, zlib.MAX_WBITS, zlib.MAX_WBITS | 16


def inflate(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """The body without its content codings; at most `max_bytes` long.

    Without a declared coding a body that begins as gzip, zstd or zlib does is inflated too.

    Raises:
        InvalidInput: an unknown coding, or a body that is damaged or ends too early.
        TooLarge: more than `max_bytes`, before or after inflating.
    """
    codings = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    if len(codings) > _CODINGS_MAX:
        raise InvalidInput(f"Content-Encoding names {len(codings)} codings; {_CODINGS_MAX} is the most")
    _check_size(len(body), max_bytes)
    applied = [name for name in reversed(codings) if name != "identity"]
    if not applied:
        return _inflate_undeclared(body, max_bytes)
    body = _inflate_declared(body, applied[0], max_bytes)
    for name in applied[1:]:
        body = _inflate_declared(body, name, max_bytes) if _is_compressed(body) else body
    return body


def _inflate_declared(body: bytes, coding: str, max_bytes: int) -> bytes:
    if coding not in ("gzip", "x-gzip", "zstd", "deflate", *_SNAPPY):
        raise InvalidInput(
            f"Content-Encoding {coding!r} is not understood; send gzip, zstd, deflate, snappy or identity"
        )
    if not body:
        return body
    if coding in _SNAPPY:
        return snappy.decompress(body, max_bytes)
    if body.startswith(_GZIP):
        return _inflate_zlib(body, _GZIP_WRAPPER, "gzip", max_bytes)
    if _is_zstd(body):
        return _inflate_zstd(body, max_bytes)
    if _is_zlib(body):
        return _inflate_deflate(body, max_bytes)
    if coding == "deflate":
        return _inflate_zlib(body, _RAW, "deflate", max_bytes)
    raise InvalidInput(f"Content-Encoding says {coding}, but the body is not {coding}")


def _inflate_undeclared(body: bytes, max_bytes: int) -> bytes:
    if body.startswith(_GZIP):
        return _inflate_zlib(body, _GZIP_WRAPPER, "gzip", max_bytes)
    if _is_zstd(body):
        return _inflate_zstd(body, max_bytes)
    if not _is_zlib(body):
        return body
    try:
        return _inflate_zlib(body, _ZLIB, "deflate", max_bytes)
    except InvalidInput:
        return body  # plain text may begin with "x^"


def _inflate_deflate(body: bytes, max_bytes: int) -> bytes:
    """zlib, or raw deflate that happens to begin like zlib."""
    try:
        return _inflate_zlib(body, _ZLIB, "deflate", max_bytes)
    except InvalidInput as error:
        try:
            return _inflate_zlib(body, _RAW, "deflate", max_bytes)
        except InvalidInput:
            raise error from None


def _is_compressed(body: bytes) -> bool:
    return body.startswith(_GZIP) or _is_zstd(body) or _is_zlib(body)


def _is_zstd(body: bytes) -> bool:
    return body.startswith(_ZSTD) or body[:4] in _ZSTD_SKIPPABLE


def _is_zlib(body: bytes) -> bool:
    return len(body) >= 2 and body[0] & 0x0F == 8 and body[0] >> 4 <= 7 and int.from_bytes(body[:2], "big") % 31 == 0


class _Content:
    """What has been inflated so far, within its bound."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self.size_bytes = 0

    def add(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        _check_size(self.size_bytes, self._max_bytes)
        self._pieces.append(piece)

    def joined(self) -> bytes:
        return b"".join(self._pieces)


def _inflate_zlib(body: bytes, wrapper: int, coding: str, max_bytes: int) -> bytes:
    content = _Content(max_bytes)
    at = members = 0
    while at < len(body):
        members += 1
        if members > _MEMBERS_MAX:
            raise InvalidInput(f"the {coding} body has more than {_MEMBERS_MAX:,} members")
        try:
            at = _inflate_member(body, at, zlib.decompressobj(wrapper), content)
        except (zlib.error, EOFError) as error:
            raise InvalidInput(f"the {coding} body is damaged after {content.size_bytes:,} bytes: {error}") from None
    return content.joined()


def _inflate_member(body: bytes, at: int, stream: "zlib._Decompress", content: _Content) -> int:
    """Adds the content of the member at `at`; returns where it ends."""
    step = _FIRST_STEP_BYTES
    rest = b""
    while not stream.eof:
        if not rest:
            rest = body[at : at + step]
            at += len(rest)
            step = min(step * 2, _STEP_BYTES)
        piece = stream.decompress(rest, _STEP_BYTES)
        if not rest and not piece and not stream.eof:
            raise EOFError("it ends too early")
        rest = stream.unconsumed_tail
        content.add(piece)
    return at - len(stream.unused_data)


def _inflate_zstd(body: bytes, max_bytes: int) -> bytes:
    content = _Content(max_bytes)
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while piece := stream.read(_STEP_BYTES):
                content.add(piece)
    except OSError as error:
        raise InvalidInput(f"the zstd body is damaged after {content.size_bytes:,} bytes: {error}") from None
    return content.joined()


def _check_size(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise TooLarge(f"the body is over {max_bytes:,} bytes (max_body); send it in smaller pieces")
