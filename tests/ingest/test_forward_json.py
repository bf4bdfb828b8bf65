"""Forward's JSON mode: the same records as in msgpack, however the stream is cut."""

import contextlib
import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.conversation import Frame, Malformed
from ingest.protocols.forward import TAKE, Keys, begin
from ingest.request import Request
from tests.ingest.decoded import NOW_NS, records

PHP = (
    b'["debug.test",1772366400,{"hello":"world \\"[}\\\\","level":"warn","n":3,"ok":true,"f":1.5,'
    b'"big":123456789012345678901}]'
)
MONOLOG = (
    b'["chan.INFO",1772366401,{"message":"hello \\u00e9 {user}","context":{"user":"ann","n":3},"extra":[],"level":200,'
    b'"level_name":"INFO"}]'
)


def said(*pieces: bytes, max_bytes: int = 1 << 20, keys: Keys | None = None) -> list[Frame | bytes]:
    talk = begin(max_bytes, keys, "server", random.Random(7).randbytes)("10.0.0.1")
    return [item for piece in pieces for item in talk.feed(piece)]


def rows(frames: list[Frame | bytes]) -> list[dict[str, Any]]:
    body = b"".join(frame.body for frame in frames if isinstance(frame, Frame))
    return records(TAKE.decode(Request(body, NOW_NS)))


@pytest.mark.parametrize("between", [b"", b"\n", b" , \r\n"])
def test_libraries_that_write_json(between: bytes) -> None:
    first, second = rows(said(between.join([PHP, MONOLOG, b""])))
    assert (first["time"], first["severity"]) == (1_772_366_400_000_000_000, "warn")
    assert first["attributes"]["hello"] == 'world "[}\\'
    assert {name: first["attributes"][name] for name in ("n", "ok", "f", "tag")} == {
        "n": 3,
        "ok": True,
        "f": 1.5,
        "tag": "debug.test",
    }
    assert (second["message"], second["attributes"]["level_name"]) == ("hello é {user}", "INFO")
    assert second["attributes"]["context"] == {"user": "ann", "n": 3}


def test_many_records_in_one_message() -> None:
    sent = json.dumps(["app", [[1_772_366_400 + at, {"message": f"m{at}"}] for at in range(3)]]).encode()
    assert [row["message"] for row in rows(said(sent))] == ["m0", "m1", "m2"]


def test_a_chunk_is_acknowledged_in_json() -> None:
    (frame,) = said(b'["app",1772366400,{"message":"m"},{"chunk":"p8n9gmxTQVC8/nh2wlKKeQ=="}]')
    assert isinstance(frame, Frame)
    assert json.loads(frame.ack) == {"ack": "p8n9gmxTQVC8/nh2wlKKeQ=="}


@given(st.lists(st.integers(0, len(PHP + MONOLOG)), max_size=6))
def test_however_the_stream_is_cut(cuts: list[int]) -> None:
    sent = PHP + MONOLOG
    edges = [0, *sorted(cuts), len(sent)]
    assert rows(said(*(sent[a:b] for a, b in itertools.pairwise(edges)))) == rows(said(sent))


@pytest.mark.parametrize(
    "sent",
    [b"[1]", b"[]", b"[}", b"[bad]", b' {"a":1}', b" ]", b'["tag"] x', b"[" * 3000 + b"]" * 3000, b"[" + b"x" * 200],
)
def test_what_is_no_message_ends_the_connection(sent: bytes) -> None:
    with pytest.raises(Malformed):
        said(sent, b" []", max_bytes=100 if sent.endswith(b"x") else 1 << 20)


@given(st.binary(max_size=60), st.lists(st.sampled_from([PHP, b"[", b"]", b'"', b"\\", b"{", b"1", b" "])))
def test_no_bytes_do_harm(noise: bytes, pieces: list[bytes]) -> None:
    with contextlib.suppress(Malformed):
        rows(said(b"[", *pieces, noise))


def test_who_has_to_know_a_key_cannot_speak_json() -> None:
    with pytest.raises(Malformed):
        said(PHP, keys=Keys(lambda: [b"key"]))
