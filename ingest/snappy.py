"""Snappy within a bound: the block format, which Loki's clients send without saying so, and the framed one.

google/snappy: format_description.txt, framing_format.txt. The length that a block declares is checked before memory
is taken for it.
"""

from typing import Final

import google_crc32c
import pyarrow as pa

from logstore.errors import InvalidInput, TooLarge

FRAMED: Final = b"\xff\x06\x00\x00sNaPpY"
_LENGTH_MAX_BYTES: Final = 5
_CHUNK_HEAD_BYTES: Final = 4
_CHECKSUM_BYTES: Final = 4
_CHUNK_CONTENT_MAX_BYTES: Final = 1 << 16
_COMPRESSED, _PLAIN, _SKIPPABLE_FROM = 0x00, 0x01, 0x80


def decompress(body: bytes, max_bytes: int) -> bytes:
    """The content of a block, or of a stream of frames where the body begins as one.

    Raises:
        InvalidInput: damaged, or no snappy.
        TooLarge: more than `max_bytes`.
    """
    return _frames(body, max_bytes) if body.startswith(FRAMED) else _block(body, max_bytes)


def _block(body: bytes, max_bytes: int) -> bytes:
    size_bytes = _declared(body)
    _check_size(size_bytes, max_bytes)
    if not size_bytes:
        return b""
    try:
        content: bytes = pa.decompress(body, size_bytes, codec="snappy", asbytes=True)
    except OSError as error:
        raise InvalidInput("the snappy body is damaged") from error
    return content


def _declared(body: bytes) -> int:
    """The varint that a block begins with."""
    size_bytes = 0
    for place, byte in enumerate(body[:_LENGTH_MAX_BYTES]):
        size_bytes |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return size_bytes
    raise InvalidInput("the body is not snappy: it does not begin with its length")


def _frames(body: bytes, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size_bytes = at = 0
    while at < len(body):
        kind, stop = body[at], at + _CHUNK_HEAD_BYTES + int.from_bytes(body[at + 1 : at + _CHUNK_HEAD_BYTES], "little")
        chunk = body[at + _CHUNK_HEAD_BYTES : stop]
        if stop > len(body):
            raise InvalidInput(f"the snappy body breaks off in the frame at byte {at + 1}")
        if kind in (_COMPRESSED, _PLAIN):
            piece = _frame(kind, chunk)
            size_bytes += len(piece)
            _check_size(size_bytes, max_bytes)
            pieces.append(piece)
        elif kind < _SKIPPABLE_FROM:
            raise InvalidInput(f"the snappy body has a frame of the unknown kind {kind} at byte {at + 1}")
        at = stop
    return b"".join(pieces)


def _frame(kind: int, chunk: bytes) -> bytes:
    checksum, content = chunk[:_CHECKSUM_BYTES], chunk[_CHECKSUM_BYTES:]
    piece = _block(content, _CHUNK_CONTENT_MAX_BYTES) if kind == _COMPRESSED else content
    if int.from_bytes(checksum, "little") != _masked(google_crc32c.value(piece)):
        raise InvalidInput("the snappy body is damaged: a frame has another checksum")
    return piece


def _masked(checksum: int) -> int:
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _check_size(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise TooLarge(f"the body is over {max_bytes:,} bytes (max_body); send it in smaller pieces")
