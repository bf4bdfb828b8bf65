"""Whatever a client sends: never a 500, never a hang, and the server lives on."""

import json
import random
import socket
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving import ServerProcess

PATHS = (
    "/api/v1/logs",
    "/api/v1/query",
    "/api/v1/tail",
    "/api/v1/explain",
    "/api/v1/histogram",
    "/api/v1/fields",
    "/api/v1/values",
    "/api/v1/context",
    "/api/v1/streams",
    "/api/v1/flush",
    "/metrics",
    "/ui/app.js",
    "/",
)
PARAMETERS = (
    *("q", "start", "end", "limit", "order", "cursor", "meta", "format", "interval", "buckets", "by"),
    *("field", "prefix", "seq", "before", "after", "backlog", "cluster", "pod", "nonsense"),
)
TIMEOUT_S = 20

fuzz = settings(
    max_examples=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def converse(server: ServerProcess, request: bytes) -> bytes:
    """The answer to raw bytes, as far as it comes before the connection ends."""
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return answer


def assert_sound(server: ServerProcess, answer: bytes) -> None:
    assert b"HTTP/1.1 500" not in answer, answer
    assert server.client.get("/healthz", timeout=TIMEOUT_S).status_code == 200


@fuzz
@given(st.binary(max_size=300))
def test_bytes_that_are_no_http(shared: ServerProcess, noise: bytes) -> None:
    assert_sound(shared, converse(shared, noise))


@fuzz
@given(
    st.sampled_from(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")),
    st.sampled_from(PATHS),
    st.lists(
        st.tuples(
            st.sampled_from(
                ("Content-Type", "Content-Encoding", "Accept", "Accept-Encoding", "Idempotency-Key", "Range")
            )
            | st.sampled_from(("Authorization", "Last-Event-ID", "If-None-Match", "Expect", "Transfer-Encoding")),
            st.binary(max_size=40),
        ),
        max_size=5,
    ),
    st.binary(max_size=200),
)
def test_headers_and_bodies(
    shared: ServerProcess, method: str, path: str, headers: list[tuple[str, bytes]], body: bytes
) -> None:
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n".encode()
    assert_sound(shared, converse(shared, head + lines + b"\r\n" + body))


@fuzz
@given(
    st.sampled_from([path for path in PATHS if path != "/api/v1/tail"]),
    st.dictionaries(
        st.sampled_from(PARAMETERS),
        st.text(max_size=30) | st.integers().map(str) | st.sampled_from(("*", "pod:*", "-1h", "ndjson", "desc")),
        max_size=5,
    ),
)
def test_parameters(shared: ServerProcess, path: str, params: dict[str, str]) -> None:
    answer = shared.client.get(path, params=params, timeout=TIMEOUT_S)
    assert answer.status_code != 500, answer.text
    if answer.status_code == 400:
        assert answer.json()["error"]


@fuzz
@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: ("%" + text).encode()))
def test_query_strings(shared: ServerProcess, noise: bytes) -> None:
    target = b"/api/v1/query?" + bytes(byte for byte in noise if byte > 32 and byte != 127)
    assert_sound(shared, converse(shared, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))


@fuzz
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=9), lambda v: st.lists(v, max_size=3)))
def test_json_bodies_of_queries(shared: ServerProcess, value: object) -> None:
    for name in ("q", "limit", "start", "order", "meta", "cursor"):
        answer = shared.client.post("/api/v1/query", content=json.dumps({name: value}), timeout=TIMEOUT_S)
        assert answer.status_code in (200, 400), answer.text


@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_nesting(shared: ServerProcess, depth: int) -> None:
    deep = b'{"message":"m","a":' + b"[" * depth + b"]" * depth + b"}"
    assert shared.post(deep, params={"pod": "deep"}).status_code in (200, 400)
    assert shared.post(b"[" * depth).status_code in (200, 400)
    answer = shared.client.post("/api/v1/query", json={"q": "(" * min(depth, 20_000)})
    assert answer.status_code == 400


def test_a_head_over_the_limit_is_431(shared: ServerProcess) -> None:
    answer = converse(shared, b"GET /api/v1/query?q=" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 100) for number in range(1000))
    answer = converse(shared, b"GET / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'{"error":' in answer


@pytest.mark.parametrize(
    "length", [b"-1", b"x", b"1e3", b"99999999999999999999999", b"5, 6", b"5\r\nContent-Length: 6", b""]
)
def test_wrong_lengths(shared: ServerProcess, length: bytes) -> None:
    request = b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\nhello"
    answer = converse(shared, request)
    assert not answer or answer.split()[1] in (b"400", b"413"), answer
    assert_sound(shared, answer)


def test_a_body_that_breaks_off_stores_nothing(shared: ServerProcess) -> None:
    body = b'{"message":"half a body"}\n'
    head = b"POST /api/v1/logs?pod=half HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    assert_sound(shared, converse(shared, head + body))
    chunked = b"POST /api/v1/logs?pod=half HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n" + body
    assert_sound(shared, converse(shared, chunked))
    assert json.loads(shared.query('pod="half" | stats count()').text) == {"count": 0}


def test_pipelined_requests_are_answered_in_order(shared: ServerProcess) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    two = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shared.port), TIMEOUT_S) as connection:
        connection.sendall(one * 3 + two)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b"HTTP/1.1 404") == 1


@pytest.mark.parametrize(
    "path", ["/ui/../settings.py", "/ui/%2e%2e/settings.py", "/ui/..%2fsettings.py", "/ui/__init__.py", "/ui/.", "/ui/"]
)
def test_only_the_page_s_own_files_are_served(shared: ServerProcess, path: str) -> None:
    answer = converse(shared, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"404", b"405", b"307"), answer
    assert b"ServeSettings" not in answer


def test_a_page_of_another_site_cannot_post(shared: ServerProcess) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
    assert shared.client.post("/api/v1/logs", content="x", headers=headers).status_code == 403
    assert shared.client.post("/api/v1/flush", headers=headers).status_code == 403


def test_many_clients_at_once_are_all_answered(shared: ServerProcess) -> None:
    """More than run at once: each is answered, with 200 or a 429 that says when to come back."""
    statuses: list[int] = []

    def ask(seed: int) -> None:
        source = random.Random(seed)
        for _ in range(5):
            path = source.choice(("query?q=*", "histogram", "fields", "values?field=pod", "streams"))
            answer = shared.client.get(f"/api/v1/{path}", timeout=60)
            statuses.append(answer.status_code)
            assert answer.status_code == 200 or answer.headers["retry-after"]

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 24 * 5
    assert set(statuses) <= {200, 429}


def test_connections_over_the_limit_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("few") / "data"
    with ServerProcess(data, "--max-connections", "3") as few:
        few.client.close()
        held = [socket.create_connection(("127.0.0.1", few.port), TIMEOUT_S) for _ in range(6)]
        try:
            held[-1].settimeout(TIMEOUT_S)
            answer = held[-1].recv(4096)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"max_connections" in answer
        finally:
            for connection in held:
                connection.close()
