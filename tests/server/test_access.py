"""Who is let in, and what the clients of a protocol are told where they are not."""

import base64
from pathlib import Path

import pytest

from ingest.protocol import Answer, Probe, Protocol, Refusal, Take
from ingest.request import Decoded, Head, Request
from server.access import Access, Readiness, refused
from server.auth import Tokens
from server.mounts import Found, Mounts

READY = Readiness(is_ready=True)


def decode(request: Request) -> Decoded:
    raise AssertionError(f"nothing here is decoded: {request}")


def ok(_head: Head, _body: bytes) -> Answer:
    return Answer(200)


def refuse(_head: Head, refusal: Refusal) -> Answer:
    return Answer(refusal.status, f"shaped: {refusal.message}\n".encode(), "text/plain")


SHAPED = Protocol(
    "shaped",
    (Take(("POST",), ("/push", "/push/{key}"), decode, lambda _request, _decoded: Answer(204)),),
    refuse,
    (Probe(("GET",), ("/health",), ok, is_open=True), Probe(("GET",), ("/version",), ok)),
    credential=lambda head: head.headers.get("x-key") or head.params.get("key", "") or head.segments.get("key", ""),
    challenge='Basic realm="shaped"',
)
MOUNTS = Mounts([SHAPED])


@pytest.fixture
def access(tmp_path: Path) -> Access:
    path = tmp_path / "tokens"
    path.write_text("alpha\nann:secret\n")
    return Access(READY, Tokens(path))


def request(method: str, path: str, params: dict[str, str] | None = None, **headers: str) -> tuple[Head, Found | None]:
    head = Head(method, path, params or {}, {name.replace("_", "-"): value for name, value in headers.items()})
    found = MOUNTS.find(head)
    return (Head(method, path, head.params, head.headers, found.segments) if found else head), found


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer alpha",
        "Splunk alpha",
        "splunk alpha",
        "ApiKey alpha",
        f"ApiKey {b64('any-id:alpha')}",
        f"ApiKey {b64('ann:secret')}",
        f"Basic {b64('anyone:alpha')}",
        f"Basic {b64('ann:secret')}",
    ],
)
def test_every_scheme_opens(access: Access, authorization: str) -> None:
    assert access.refusal(*request("POST", "/push", authorization=authorization)) is None
    assert access.refusal(*request("GET", "/api/v1/query", authorization=authorization)) is None


@pytest.mark.parametrize("authorization", ["", "Splunk beta", "ApiKey beta", f"ApiKey {b64('alpha:beta')}", "ApiKey "])
def test_another_token_does_not(access: Access, authorization: str) -> None:
    refusal = access.refusal(*request("POST", "/push", authorization=authorization))
    assert refusal is not None
    assert refusal.status == 401


def test_a_protocol_says_where_else_its_token_stands(access: Access) -> None:
    assert access.refusal(*request("POST", "/push", x_key="alpha")) is None
    assert access.refusal(*request("POST", "/push", {"key": "alpha"})) is None
    assert access.refusal(*request("POST", "/push/alpha")) is None
    assert access.refusal(*request("POST", "/push/beta")) is not None


def test_elsewhere_that_place_counts_for_nothing(access: Access) -> None:
    assert access.refusal(*request("GET", "/api/v1/query", {"key": "alpha"}, x_key="alpha")) is not None


def test_only_open_probes_need_no_token(access: Access) -> None:
    assert access.refusal(*request("GET", "/health")) is None
    assert access.refusal(*request("GET", "/version")) is not None
    assert access.refusal(*request("GET", "/readyz")) is None


def test_open_probes_tell_that_the_server_is_not_ready() -> None:
    starting = Access(Readiness(reason="the server is starting"), None)
    refusal = starting.refusal(*request("GET", "/health"))
    assert refusal == Refusal(503, "the server is starting", retry_after_s=1)
    assert starting.refusal(*request("GET", "/healthz")) is None


def test_a_refusal_has_the_shape_of_its_protocol(access: Access) -> None:
    head, found = request("POST", "/push")
    refusal = access.refusal(head, found)
    assert refusal is not None
    answer = refused(head, SHAPED, refusal)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="shaped"')
    assert bytes(answer.body).startswith(b"shaped: a token is needed")
    other = refused(head, None, refusal)
    assert other.headers["www-authenticate"] == 'Bearer realm="logstore"'
    assert bytes(other.body).startswith(b'{"error":"a token is needed')


def test_the_pages_of_other_sites_cannot_post() -> None:
    refusal = Access(READY, None).refusal(*request("POST", "/push", sec_fetch_site="cross-site"))
    assert refusal is not None
    assert refusal.status == 403
    assert Access(READY, None).refusal(*request("GET", "/version", sec_fetch_site="cross-site")) is None
