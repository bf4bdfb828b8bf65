"""Messages in the forms that nearly all have, by the kernel of logstore/native/syslog.c."""

import struct
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple, Self

import orjson

from ingest.entries import Most, Unsure, decode_most, entries_kernel
from ingest.identity import Resolved
from ingest.identity_table import Table
from ingest.protocols.syslog.header import parse
from ingest.protocols.syslog.structured import elements
from ingest.protocols.syslog.told import Told, attribute_of, by_header
from ingest.request import Request, Sender

_KERNEL: Final = entries_kernel("kernel_syslog")
_REMEMBERED_MAX: Final = 1 << 14
"""Headers; each of a length up to …"""
_REMEMBERED_LENGTH_MAX: Final = 512
_MESSAGE: Final = "x"
_RFC5424: Final = "0"
_EXAMPLES: Final = (
    "{}1 - {} - x",
    "{}1970-01-01T00:00:00Z {}: x",
    "{}Jan  1 00:00:00 {}: x",
    "{}1970-01-01T00:00:00 {}: x",
)
"""Messages by the kernel's `enum form`."""
_EPOCH: Final = datetime(1970, 1, 1)
_DAY_NS: Final = 86_400_000_000_000
_DAY: Final = timedelta(days=1)
_DAYS_BACK, _DAYS_AHEAD = 11 * 366, 2 * 366
_STEP: Final = struct.Struct("=qq")
_ZONES: Final = 4


def decode_usual(request: Request, local: tzinfo) -> Most:
    """The messages of a packed body (`ingest.messages`). `local` is the zone of times that have none.

    Raises:
        Unsure: a body that was not packed, or very much in it is unusual.
        TooLarge: more than `max_records`.
    """
    steps = _steps(local, request.now_ns // _DAY_NS)
    return decode_most(_KERNEL, request, steps, _resolve, lambda lifted: _sender_of(lifted, request.identity))


@lru_cache(_ZONES)
def _steps(local: tzinfo, today: int) -> bytes:
    """How far a clock is ahead of UTC in the years that a time without a year may be of: seconds on that clock, from
    which on it is ahead by so many. A moment that comes twice, or not at all, counts as before the change."""
    begin = _EPOCH + timedelta(days=today - _DAYS_BACK)
    steps = [(begin, _ahead(begin, local))]
    for day in range(_DAYS_BACK + _DAYS_AHEAD):
        before, after = begin + day * _DAY, begin + (day + 1) * _DAY
        if _ahead(after, local) != steps[-1][1]:
            steps.append((_change(before, after, local), _ahead(after, local)))
    return b"".join(_STEP.pack(_seconds(moment - _EPOCH), _seconds(ahead)) for moment, ahead in steps)


def _change(before: datetime, after: datetime, local: tzinfo) -> datetime:
    """The first second at which the clock is ahead as it is `after`."""
    while _seconds(after - before) > 1:
        middle = before + timedelta(seconds=_seconds(after - before) // 2)
        if _ahead(middle, local) == _ahead(after, local):
            after = middle
        else:
            before = middle
    return after


def _ahead(moment: datetime, local: tzinfo) -> timedelta:
    return moment.replace(tzinfo=local).utcoffset() or timedelta()


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())


def _resolve(_base: str, lifted: str, table: Table) -> Resolved:
    told = _told(_Header.read(lifted), table)
    return Resolved(told.source, told.attributes, told.severity)


def _sender_of(lifted: str, table: Table) -> Sender:
    header = _Header.read(lifted)
    return Sender.at(header.peer, _plain(header, table).host)


class _Header(NamedTuple):
    """What the kernel tells of a message besides its time and text."""

    peer: str
    priority: str
    form: str
    """A place in `_EXAMPLES`."""
    words: str
    structured: str

    @classmethod
    def read(cls, lifted: str) -> Self:
        [told] = orjson.loads(lifted).values()
        return cls(*told)


def _told(header: _Header, table: Table) -> Told:
    told = _plain(header, table)
    if not header.structured:
        return told
    attributes = {attribute_of(name, told.attributes): values for name, values in elements(header.structured).items()}
    return told._replace(attributes={**told.attributes, **attributes})


def _plain(header: _Header, table: Table) -> Told:
    find = _remembered if len(header.words) <= _REMEMBERED_LENGTH_MAX else _remembered.__wrapped__
    return find(header._replace(structured=""), table)


@lru_cache(_REMEMBERED_MAX)
def _remembered(header: _Header, table: Table) -> Told:
    """What the exact reader makes of any message that begins so."""
    text = _EXAMPLES[int(header.form)].format(header.priority, header.words)
    parsed = parse(text, lambda _stamp, _zone: 0)
    is_understood = header.form == _RFC5424 or parsed.host == header.words.partition(" ")[0]
    if parsed.error or parsed.message != _MESSAGE or not is_understood:
        raise Unsure
    return by_header(parsed, header.peer, table)
