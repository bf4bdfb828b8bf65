"""A real HTTP server that keeps the contract just far enough to be unreliable on demand.

It holds what was posted (each idempotency key once), and can drop a connection before or after it took a batch,
answer 429 or 503, serve a prepared answer, cut one in half, and send a tail in pieces. What the real server
answers is tested against the real server.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Fault = str
"""`lose` (drop before taking), `hush` (take, then drop), `busy` (429), `full` (503), or '' for none."""


@dataclass
class Posted:
    """One request that was taken."""

    key: str
    params: dict[str, str]
    content_type: str
    body: bytes


@dataclass
class Prepared:
    """An answer to a GET: chunks are sent one by one; with `is_cut` the connection then drops."""

    chunks: list[bytes]
    status: int = 200
    is_cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None


class Listener(ThreadingHTTPServer):
    """Says nothing of clients that went away: they are killed on purpose."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        return


class StandIn:
    """The server, on a free port of this machine until `close()`."""

    def __init__(self, port: int = 0) -> None:
        self.posted: list[Posted] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.seen_keys: dict[str, bytes] = {}
        self.fault: Callable[[], Fault] = lambda: ""
        self.answer: Callable[[str, dict[str, str]], Prepared] = lambda path, params: Prepared([b""])
        self.on_headers: Callable[[Message], None] = lambda headers: None
        self.reject: Callable[[bytes], str] = lambda line: ""
        self.max_body = 64 << 20
        self.changed = threading.Condition()
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                return

            def do_GET(self) -> None:
                standin._get(self)

            def do_POST(self) -> None:
                standin._post(self)

        self.http = Listener(("127.0.0.1", port), Handler)
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def lines(self) -> list[bytes]:
        """All lines taken, in the order of their batches."""
        return [line for post in self.posted for line in post.body.split(b"\n")[: _line_count(post.body)]]

    def await_lines(self, count: int, timeout_s: float = 20.0) -> list[bytes]:
        with self.changed:
            self.changed.wait_for(lambda: sum(_line_count(post.body) for post in self.posted) >= count, timeout_s)
        return self.lines()

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        params = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.requests.append((parts.path, params))
        self.on_headers(handler.headers)
        prepared = self.answer(parts.path, params)
        handler.send_response(prepared.status)
        for name, value in prepared.headers.items():
            handler.send_header(name, value)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in prepared.chunks:
            if chunk:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                handler.wfile.flush()
        if prepared.hold is not None:
            prepared.hold.wait(30)
        if not prepared.is_cut:
            handler.wfile.write(b"0\r\n\r\n")
            return
        handler.close_connection = True

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        body = handler.rfile.read(length)
        fault = self.fault()
        if fault == "lose" or len(body) < length:  # or the client was killed while it sent
            handler.close_connection = True
            return
        if fault in ("busy", "full") or len(body) > self.max_body:
            status = 413 if len(body) > self.max_body else 429 if fault == "busy" else 503
            self._reply(handler, status, {"error": f"{fault or 'too large'}"}, {"Retry-After": "0"})
            return
        parts = urlsplit(handler.path)
        params = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        key = handler.headers["Idempotency-Key"]
        if self.seen_keys.get(key, body) != body:
            self._reply(handler, 409, {"error": "the same key with another body"}, {})
            return
        lines = body.split(b"\n")[: _line_count(body)]
        rejected = [
            {"line": number, "error": self.reject(line)} for number, line in enumerate(lines, 1) if self.reject(line)
        ]
        with self.changed:
            if key not in self.seen_keys:
                self.seen_keys[key] = body
                self.posted.append(Posted(key, params, handler.headers["Content-Type"], body))
                self.changed.notify_all()
        if fault == "hush":
            handler.close_connection = True
            return
        self._reply(handler, 200, {"accepted": len(lines) - len(rejected), "rejected": rejected}, {})

    def _reply(self, handler: BaseHTTPRequestHandler, status: int, document: Any, headers: dict[str, str]) -> None:
        text = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text)


def _line_count(body: bytes) -> int:
    return body.count(b"\n") + (not body.endswith(b"\n") and bool(body))
