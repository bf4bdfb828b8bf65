"""A push in protobuf, as Promtail, Alloy, Vector, Fluent Bit and the Docker driver send it."""

from google.protobuf.message import DecodeError

from ingest.protocols.loki.schema import PushRequest
from ingest.protocols.loki.streams import Entries, stream_of_text
from ingest.request import Request
from logstore.errors import InvalidInput

_NS_PER_S = 1_000_000_000


def read(request: Request, entries: Entries) -> int:
    """Adds all entries of the body; how many streams it has.

    Raises:
        InvalidInput: no such message.
        TooLarge: more than `max_records`.
    """
    try:
        push = PushRequest.FromString(request.body)
    except DecodeError:
        raise InvalidInput(
            "the body is no Loki push in protobuf; send that, compressed with snappy, or JSON with"
            " Content-Type: application/json"
        ) from None
    for stream in push.streams:
        entries.begin(stream_of_text(_text(stream.labels)))
        for entry in stream.entries:
            time = entry.timestamp
            metadata = {_text(pair.name): _text(pair.value) for pair in entry.metadata}
            entries.add(time.seconds * _NS_PER_S + time.nanos or None, entry.line, metadata)
    return len(push.streams)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
