"""A sender of Fluent forward of our own: the shapes that Fluent Bit, Fluentd and Docker's driver put on the wire."""

import gzip
import hashlib
import os
import socket
import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import msgpack
import zstandard

EPOCH_NS = 1_770_000_000_123_456_789


def event_time(time_ns: int) -> msgpack.ExtType:
    """Seconds and nanoseconds as the extension type 0."""
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    return msgpack.ExtType(0, seconds.to_bytes(4, "big") + nanos.to_bytes(4, "big"))


def entry(time: Any, record: Mapping[Any, Any]) -> bytes:
    return bytes(msgpack.packb([time, record]))


def lines(messages: Iterable[str], time_ns: int = EPOCH_NS, **members: Any) -> bytes:
    """Packed entries, a nanosecond apart."""
    return b"".join(entry(event_time(time_ns + at), {"log": message, **members}) for at, message in enumerate(messages))


def message(tag: str, time: Any, record: Mapping[Any, Any] | str, **option: Any) -> bytes:
    return bytes(msgpack.packb([tag, time, record, *([option] if option else [])]))


def forward(tag: str, entries: list[tuple[Any, Mapping[Any, Any]]], **option: Any) -> bytes:
    return bytes(msgpack.packb([tag, [list(pair) for pair in entries], *([option] if option else [])]))


def packed(tag: str, entries: bytes, **option: Any) -> bytes:
    return bytes(msgpack.packb([tag, entries, *([option] if option else [])]))


def gzipped(tag: str, entries: bytes, **option: Any) -> bytes:
    """As Fluentd with `compress gzip`: several members, one after the other."""
    half = len(entries) // 2
    members = gzip.compress(entries[:half]) + gzip.compress(entries[half:])
    return packed(tag, members, compressed="gzip", **option)


def zstd(tag: str, entries: bytes, **option: Any) -> bytes:
    """As Fluentd 1.19 with `compress zstd`."""
    return packed(tag, zstandard.compress(entries), compressed="zstd", **option)


class Client:
    """One connection, that reads what is answered."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, timeout_s: float = 30.0) -> None:
        connection = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.socket = context.wrap_socket(connection, server_hostname="127.0.0.1") if context else connection
        self._answers = msgpack.Unpacker()

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def answer(self) -> Any:
        """The next answer; None once the server has closed the connection."""
        while True:
            for answer in self._answers:
                return answer
            try:
                received = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not received:
                return None
            self._answers.feed(received)

    def deliver(self, tag: str, entries: bytes, chunk: str) -> None:
        """Returns when they are acknowledged."""
        self.send(packed(tag, entries, chunk=chunk))
        answer = self.answer()
        assert answer == {"ack": chunk}, answer

    def greet(self, key: bytes, user: str = "", password: bytes = b"", host: str = "node-1") -> Any:
        """HELO, PING; the PONG."""
        kind, helo = self.answer()
        assert kind == "HELO"
        salt, nonce, auth = os.urandom(16), helo["nonce"], helo["auth"] or b""
        digest = hashlib.sha512(salt + host.encode() + nonce + key).hexdigest()
        secret = hashlib.sha512(auth + user.encode() + password).hexdigest() if auth else ""
        self.send(bytes(msgpack.packb(["PING", host, salt, digest, user, secret])))
        pong = self.answer()
        if pong[1]:
            own = hashlib.sha512(salt + pong[3].encode() + nonce + key).hexdigest()
            assert pong[4] == own, "the server does not know the key either"
        return pong

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
