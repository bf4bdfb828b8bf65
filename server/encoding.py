"""Which content encoding an answer gets, and the encoder that keeps up with a stream."""

import zlib
from typing import Final, Protocol

import zstandard

GZIP_LEVEL: Final = 3
ZSTD_LEVEL: Final = 3
WHOLE_MIN_BYTES: Final = 1024
_GZIP_WINDOW: Final = 31
"""zlib's number for a gzip header around the largest window."""

_PREFERRED: Final = ("zstd", "gzip")


class Encoder(Protocol):
    """Turns chunks into encoded ones, each of which can be decoded as soon as it arrives."""

    def encode(self, chunk: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def encode(self, chunk: bytes) -> bytes:
        return self._compressor.compress(chunk) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._compressor.flush()


class Zstd:
    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(ZSTD_LEVEL).compressobj()

    def encode(self, chunk: bytes) -> bytes:
        return self._compressor.compress(chunk) + self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._compressor.flush()


def negotiate(accept_encoding: str | None) -> str | None:
    """`zstd`, `gzip` or None, by the weights of an `Accept-Encoding` header (RFC 9110 §12.5.3)."""
    weights = parse_weights(accept_encoding or "")
    everything = weights.get("*", 0.0)
    offers = [(weights.get(name, everything), name) for name in _PREFERRED]
    weight, name = max(offers, key=lambda offer: offer[0])
    return name if weight > 0 and weight >= weights.get("identity", 0.0) else None


def encoder(name: str | None) -> Encoder | None:
    if name == "gzip":
        return Gzip()
    return Zstd() if name == "zstd" else None


def encode_whole(content: bytes, name: str | None) -> tuple[bytes, dict[str, str]]:
    """A whole answer and its headers; a small one is not worth encoding."""
    headers = {"vary": "accept-encoding"}
    encode = encoder(name) if len(content) >= WHOLE_MIN_BYTES else None
    if encode is None or name is None:
        return content, headers
    return encode.encode(content) + encode.finish(), {**headers, "content-encoding": name}


def parse_weights(header: str) -> dict[str, float]:
    """The items of an `Accept…` header with their `q`, in their order; an unreadable `q` counts as 0."""
    weights: dict[str, float] = {}
    for item in header.split(",")[:64]:
        name, _, parameters = item.strip().partition(";")
        if name.strip():
            weights[name.strip().lower()] = _weight(parameters)
    return weights


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        key, _, value = parameter.strip().partition("=")
        if key.strip().lower() != "q":
            continue
        try:
            return min(1.0, max(0.0, float(value)))
        except ValueError:
            return 0.0
    return 1.0
