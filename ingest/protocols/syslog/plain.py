"""The forms that nearly all messages have, cut into what they have in common with many others and what is their own.

    <PRI>1 TIME HOST APP PROCID MSGID SD MESSAGE
    <PRI>TIME HOST TAG[PROCID]: MESSAGE

What is read here `ingest.protocols.syslog.header` reads alike, if more slowly.
"""

import re
from typing import Final

from ingest.protocols.syslog.structured import ELEMENT
from ingest.protocols.syslog.times import Clock, nanoseconds

_RFC3339: Final = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)"
_RFC5424: Final = re.compile(
    rf"(<\d{{1,3}}>)1 {_RFC3339} (\S+ \S+ \S+ \S+) (?:-|((?:{ELEMENT})++))(?: \ufeff?(.*)|$)",
    re.ASCII | re.DOTALL,
)
_RFC3164: Final = re.compile(
    rf"(<\d{{1,3}}>)(?:([A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d)|{_RFC3339}) "
    r"([\w.-]+ [\w./()-]{1,100}(?:\[\d{0,10}\])?): \ufeff?(?!%)(.*)",
    re.ASCII | re.DOTALL,
)


Cut = tuple[tuple[str, str], int, str, str]
"""What tells host, app and all else but the rest, the same texts always the same; the time; structured data, or '';
the message."""


def cut(text: str, seconds_of: Clock) -> Cut | None:
    """None if the message has another form, or a time that there is not."""
    if found := _RFC5424.match(text):
        priority, stamp, fraction, zone, header, structured, message = found.groups("")
    elif found := _RFC3164.match(text):
        priority, stamp, dated, fraction, zone, header, message = found.groups("")
        stamp, structured = stamp or dated, ""
    else:
        return None
    seconds = seconds_of(stamp, zone)
    if seconds is None:
        return None
    return (priority, header), seconds * 1_000_000_000 + nanoseconds(fraction), structured, message
