"""HELO, PING, PONG: a client shows that it knows a key, and so does the server. Forward Protocol v1, "Authentication".

Digests are SHA-512 in hex over what the other side sent, byte for byte.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha512
from typing import Final

import msgpack

from ingest.protocols.forward.messages import Message

NONCE_BYTES: Final = 16
PING_MAX_BYTES: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class Keys:
    """What clients may know. Asked for anew for each connection, since files change."""

    shared: Callable[[], Iterable[bytes]]
    """Shared keys."""
    passwords: Callable[[], Iterable[bytes]] = tuple
    """Passwords of users who have an empty shared key: of any user, or, written `USER:PASSWORD`, of this one."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """One connection's. `nonce` and `salt` are random; an empty salt asks for no user."""

    keys: Keys
    hostname: str
    nonce: bytes
    salt: bytes

    def helo(self) -> bytes:
        return bytes(msgpack.packb(["HELO", {"nonce": self.nonce, "auth": self.salt or "", "keepalive": True}]))

    def pong(self, message: Message) -> tuple[bytes, str]:
        """The answer to a PING, and why it is refused, or ''."""
        ping = _fields(message)
        if ping is None:
            return self._refusal("invalid ping message")
        host, salt, digest, user, password = ping
        for key in self._admitted(user, password):
            if hmac.compare_digest(_hex(salt, host, self.nonce, key), digest):
                own = _hex(salt, self.hostname.encode(), self.nonce, key).decode()
                return bytes(msgpack.packb(["PONG", True, "", self.hostname, own])), ""
        return self._refusal("username/password mismatch" if self.salt and user else "shared_key mismatch")

    def _admitted(self, user: bytes, password: bytes) -> list[bytes]:
        """The shared keys that open; the empty one if the password is right."""
        known = list(self.keys.shared())
        if self.salt:
            digests = (_hex(self.salt, user, word) for word in self._passwords(user))
            known += [b"" for digest in digests if hmac.compare_digest(digest, password)]
        return known

    def _passwords(self, user: bytes) -> list[bytes]:
        """Those of any user, and what follows the user's own name and a colon."""
        words, name = list(self.keys.passwords()), user + b":"
        return words + [word.removeprefix(name) for word in words if user and word.startswith(name)]

    @staticmethod
    def _refusal(reason: str) -> tuple[bytes, str]:
        return bytes(msgpack.packb(["PONG", False, reason, "", ""])), reason


def _fields(message: Message) -> tuple[bytes, bytes, bytes, bytes, bytes] | None:
    """Host name, salt, digest, user, digest of the password."""
    if len(message) != 6 or len(message.body) > PING_MAX_BYTES:
        return None
    try:
        kind, *fields = msgpack.unpackb(message.body, raw=True)
    except (msgpack.UnpackException, ValueError, TypeError):
        return None
    host, salt, digest, user, password = (field if isinstance(field, bytes) else b"" for field in fields)
    return (host, salt, digest, user, password) if kind == b"PING" else None


def _hex(*parts: bytes) -> bytes:
    return sha512(b"".join(parts)).hexdigest().encode()
