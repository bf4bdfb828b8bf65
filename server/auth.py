"""Tokens from a file that is read again when it changes, and where a request carries one."""

import base64
import binascii
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog

from logstore.errors import InvalidSettings

CHECK_INTERVAL_S: Final = 1.0
TOKENS_MAX: Final = 10_000
TOKEN_MAX_BYTES: Final = 4096

log = structlog.get_logger()


class Tokens:
    """The tokens that open the server; a change of the file counts within a second.

    While the file cannot be read, the former tokens stay valid.

    Raises InvalidSettings if the file cannot be read, or holds no token, at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._tokens = _read(path)
        self._next_check_s = 0.0

    def admit(self, authorization: str | None, other: str = "") -> bool:
        """Whether an `Authorization` header, or what a protocol carries otherwise, has a token: `Bearer TOKEN`,
        `Bearer USER:TOKEN` (Grafana Cloud), `Splunk TOKEN`, `ApiKey TOKEN`, `ApiKey` with base64 of `id:TOKEN`,
        Basic with it as the password, or a line `USER:PASSWORD` as both."""
        digests = [hashlib.sha256(token).digest() for token in credentials(authorization, other)]
        found = False
        for known in self._current() if digests else ():
            for digest in digests:
                found |= hmac.compare_digest(known, digest)
        return found

    def known(self) -> tuple[bytes, ...]:
        """The tokens themselves, for protocols whose clients show only that they know one."""
        return tuple(self._current().values())

    def _current(self) -> dict[bytes, bytes]:
        """The tokens by their digests."""
        with self._lock:
            now_s = time.monotonic()
            if now_s < self._next_check_s:
                return self._tokens
            self._next_check_s = now_s + CHECK_INTERVAL_S
            self._reload()
            return self._tokens

    def _reload(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._tokens = _read(self._path)
            self._stamp = stamp
            log.info("tokens read again", file=str(self._path), tokens=len(self._tokens))
        except InvalidSettings as error:
            log.error("tokens not read again, the former ones stay valid", error=str(error))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - one system call a second, no object needed
    except OSError as error:
        raise InvalidSettings(f"token file {path} cannot be read: {error.strerror}") from error
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> dict[bytes, bytes]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InvalidSettings(f"token file {path} cannot be read: {error.strerror}") from error
    tokens = _tokens(lines)
    if not tokens:
        raise InvalidSettings(f"token file {path} holds no token: write one a line")
    if len(tokens) > TOKENS_MAX:
        raise InvalidSettings(f"token file {path} holds more than {TOKENS_MAX} tokens")
    return {hashlib.sha256(token).digest(): token for token in tokens}


def _tokens(lines: Iterable[bytes]) -> list[bytes]:
    stripped = (line.strip() for line in lines)
    return list(dict.fromkeys(line for line in stripped if line and not line.startswith(b"#")))


def credentials(authorization: str | None, other: str = "") -> list[bytes]:
    """What may be a token among that which a request shows."""
    shown = [other.encode("latin-1", "replace")] if 0 < len(other) <= TOKEN_MAX_BYTES else []
    if authorization is None or len(authorization) > 2 * TOKEN_MAX_BYTES:
        return shown
    scheme, _, rest = authorization.strip().partition(" ")
    text = rest.strip().encode("latin-1", "replace")
    match scheme.lower():
        case "bearer" | "splunk":
            shown += [text, text.partition(b":")[2]]
        case "basic":
            shown += _pair(text)
        case "apikey":
            shown += [text, *_pair(text)]
    return [token for token in shown if token]


def _pair(encoded: bytes) -> list[bytes]:
    """Of base64 of `a:b` the second, and both as they are."""
    try:
        pair = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return []
    _, colon, second = pair.partition(b":")
    return [second, pair] if colon and second else []
