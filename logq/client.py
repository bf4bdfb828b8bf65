"""HTTP to the server with only the standard library: a request, errors in words, the body as it arrives."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urlencode

from logq.config import Target
from logq.errors import ConfigError, Refusal, Unreachable

CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 600.0
BLOCK_BYTES: Final = 1 << 16
ERROR_MAX_BYTES: Final = 1 << 20
URL_MAX_BYTES: Final = 6_000
"""A longer query goes as a form in a POST."""
QUERY_PATH: Final = "/api/v1/query"


class Client:
    """One connection, opened when needed and used again while the server keeps it; for one thread."""

    def __init__(self, target: Target, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self.target = target
        self.answer_timeout_s = answer_timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """GETs; a query too long for a URL is POSTed as a form."""
        form = urlencode(params, errors="surrogateescape")
        if len(form) <= URL_MAX_BYTES or path != QUERY_PATH:
            return self.request("GET", f"{path}?{form}" if form else path, headers=headers)
        form_headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.request("POST", path, form.encode(), form_headers)

    def ask_json(self, path: str, params: Mapping[str, str]) -> Any:
        """GETs one JSON document."""
        body = b"".join(blocks(self.ask(path, params)))
        try:
            return json.loads(body)
        except ValueError:
            raise Unreachable(
                f"{self.target.url} did not answer with JSON", "is it a logstore server? see --server"
            ) from None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Sends and returns the answer once its headers are here.

        Raises:
            Unreachable: no connection, or it broke.
            Refusal: an error status.
        """
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        if self.target.token:
            sent["Authorization"] = f"Bearer {self.target.token}"
        try:
            connection = self._connected()
            # A server that will not have the body answers before it has read it, and closes.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self.target.prefix + path, body, sent)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise unreachable(self.target, error) from None
        except BaseException:
            self.close()
            raise
        if response.status >= 300:
            refusal = _refusal(self.target, response)
            self.close()
            raise refusal
        return response

    def close(self) -> None:
        """Drops the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = _connection(self.target)
        if self._connection.sock is None:
            self._connection.timeout = CONNECT_TIMEOUT_S
            self._connection.connect()
            cast(socket.socket, self._connection.sock).settimeout(self.answer_timeout_s)
        return self._connection


def blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body in pieces as they arrive.

    Raises:
        Unreachable: it ended before it was complete.
    """
    try:
        while block := response.read1(BLOCK_BYTES):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"the connection broke before the answer was complete: {_reason(error)}") from None
    if response.length:
        raise Unreachable("the connection broke before the answer was complete")
    response.close()  # read1 does not notice the end by itself, and the connection could not be used again


def unreachable(target: Target, error: Exception) -> Unreachable:
    """What went wrong with the connection, and what to try."""
    start = "is it running? start one with: logstore serve   (in a checkout: script/server)"
    elsewhere = "another server: --server URL, LOGQ_SERVER or a context (logq contexts)"
    message = f"cannot reach {target.url}: {_reason(error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(message, "name the authority that signed the server's certificate with --ca-file")
    if isinstance(error, ssl.SSLError):
        if target.is_tls and "WRONG_VERSION" in str(error):
            return Unreachable(message, "it does not speak TLS there; try http://")
        return Unreachable(message, "a client certificate may be needed: --client-cert, --client-key")
    if isinstance(error, socket.gaierror):
        return Unreachable(message, elsewhere)
    if isinstance(error, http.client.HTTPException) and not target.is_tls:
        return Unreachable(message, f"if it speaks TLS, use https://\n{elsewhere}")
    return Unreachable(message, f"{start}\n{elsewhere}")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead):
        return "the server closed the connection"
    if isinstance(error, http.client.HTTPException):
        return f"no HTTP answer ({type(error).__name__})"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error)


def _connection(target: Target) -> http.client.HTTPConnection:
    if not target.is_tls:
        return http.client.HTTPConnection(target.host, target.port)
    try:
        context = ssl.create_default_context(cafile=target.ca_file or None)
        if target.client_cert:
            context.load_cert_chain(target.client_cert, target.client_key or None)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"cannot use the certificate files: {_reason(error)}") from None
    return http.client.HTTPSConnection(target.host, target.port, context=context)


def _refusal(target: Target, response: http.client.HTTPResponse) -> Refusal:
    status = response.status
    try:
        body = response.read(ERROR_MAX_BYTES)
    except (OSError, http.client.HTTPException):
        body = b""
    answer = _object(body)
    message = str(answer.get("error") or answer.get("detail") or _first_line(body) or response.reason)
    return Refusal(
        message if "error" in answer else f"{target.url} answered {status}: {message}",
        status,
        hint=str(answer.get("hint") or _status_hint(status, response)),
        position=_position(answer.get("position")),
        retry_after_s=_retry_after_s(response.headers.get("Retry-After")),
        rejected=rejections(answer.get("rejected")),
    )


def rejections(items: Any) -> tuple[tuple[int, str], ...]:
    """The (line, error) pairs of an answer's `rejected`; what is not of that shape is left out."""
    if not isinstance(items, list):
        return ()
    return tuple(
        (item["line"], str(item.get("error", "")))
        for item in items
        if isinstance(item, dict) and isinstance(item.get("line"), int)
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _first_line(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").partition("\n")[0].strip()


def _status_hint(status: int, response: http.client.HTTPResponse) -> str:
    if status in (401, 403):
        return "name a token with --token, LOGQ_TOKEN or a context"
    if status < 400:
        return f"it redirects to {response.headers.get('Location', 'elsewhere')}; use that as --server"
    return "is it a logstore server? see --server" if status in (404, 405) else ""


def _position(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, dict):
        return None
    line, column = value.get("line"), value.get("column")
    return (line, column) if isinstance(line, int) and isinstance(column, int) else None


def _retry_after_s(value: str | None) -> float | None:
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    import time
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
