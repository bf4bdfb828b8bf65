"""Syslog, RFC 3164 and RFC 5424, as it comes over UDP, TCP and TLS."""

from typing import Final

from ingest.conversation import Frame
from ingest.messages import of_sender
from ingest.one_way import OneWay
from ingest.protocols.syslog.decode import decoder
from ingest.protocols.syslog.framing import Framer, of_datagram

__all__ = ["NAME", "Datagrams", "conversation", "decoder"]

NAME: Final = "syslog"


def conversation(peer: str, max_bytes: int) -> OneWay:
    """What a sender says over TCP or TLS, in messages of at most so many bytes; longer ones are cut."""
    return OneWay(Framer(max_bytes), peer)


class Datagrams:
    """One message a datagram (RFC 5426 §3.1)."""

    dropped = 0

    def feed(self, datagram: bytes, peer: str) -> Frame | None:
        messages = of_datagram(datagram)
        return Frame(of_sender(messages, peer)) if messages else None
