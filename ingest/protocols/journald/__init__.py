"""What systemd-journal-upload sends: Journal Export Format in bodies that may go on and on
(systemd-journal-remote.service(8), systemd.io/JOURNAL_EXPORT_FORMATS).

The uploader gives up at any answer but 2xx; systemd starts it again, and it sends the same again. So nothing in a body
is ever refused: what cannot be kept is left out of its entry, which says so in `_ingest_error`.
"""

from dataclasses import replace
from typing import Final

from ingest.protocol import Answer, Protocol, Refusal, Stream
from ingest.protocols.journald.upload import Upload
from ingest.request import Head

NAME: Final = "journald"


def answer(_head: Head) -> Answer:
    """As systemd-journal-remote does. The connection is closed: on an idle one that was closed meanwhile, the uploader
    could not send what it had begun a second time."""
    return replace(_text(202, "OK."), headers={"connection": "close"})


def refuse(_head: Head, refusal: Refusal) -> Answer:
    return _text(refusal.status, refusal.message)


def _text(status: int, message: str) -> Answer:
    return Answer(status, f"{message}\n".encode(), "text/plain; charset=utf-8")


_UPLOADS: Final = Stream(("POST",), ("/upload", "/journald/upload"), Upload, answer)
PROTOCOL: Final = Protocol(NAME, (), refuse, streams=(_UPLOADS,))
