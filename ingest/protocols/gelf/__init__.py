"""GELF 1.1, as it comes over UDP (in chunks too), TCP, TLS and HTTP."""

from typing import Final

from ingest import body as bodies
from ingest.conversation import Frame
from ingest.messages import pack, whole
from ingest.one_way import OneWay
from ingest.protocol import Answer, Protocol, Refusal, Take
from ingest.protocols.gelf.chunks import Chunks
from ingest.protocols.gelf.decode import decode_messages, decode_request
from ingest.protocols.gelf.framing import Framer
from ingest.request import Decoded, Head, Request

__all__ = ["NAME", "PROTOCOL", "Datagrams", "conversation", "decode_messages"]

NAME: Final = "gelf"


def conversation(peer: str, max_bytes: int) -> OneWay:
    """What a sender says over TCP or TLS, in messages of at most so many bytes; longer ones are cut."""
    return OneWay(Framer(max_bytes), peer)


class Datagrams:
    """A document a datagram, or in the chunks of several."""

    def __init__(self, chunks: Chunks | None = None) -> None:
        self._chunks = chunks or Chunks()

    def feed(self, datagram: bytes, peer: str) -> Frame | None:
        document = self._chunks.feed(datagram, peer)
        return Frame(pack([whole(document)], peer)) if document else None

    @property
    def dropped(self) -> int:
        return self._chunks.dropped


def answer(_request: Request, _decoded: Decoded) -> Answer:
    """As Graylog answers."""
    return Answer(202)


def refuse(_head: Head, refusal: Refusal) -> Answer:
    return Answer(refusal.status, refusal.message.encode("utf-8", "replace"), "text/plain; charset=utf-8")


def inflate(body: bytes, head: Head, max_bytes: int) -> bytes:
    """As the first bytes say: libraries name codings that they do not apply.

    Raises as `ingest.body.inflate` does.
    """
    is_plain = body.lstrip()[:1] in (b"{", b"[")
    return bodies.inflate(body, "" if is_plain else head.headers.get("content-encoding", ""), max_bytes)


TAKE: Final = Take(("POST",), ("/gelf",), decode_request, answer, inflate)
PROTOCOL: Final = Protocol(NAME, (TAKE,), refuse)
