"""One syslog message taken apart: RFC 5424, and what is sent under the name of RFC 3164.

RFC 3164 §4.1 describes what was seen on the wire, and more is seen than it describes. Beside `<PRI>Mmm dd hh:mm:ss
HOST TAG[pid]: text` these are read:

- no PRI, no host (the C library's and Docker's local form), no tag;
- RFC 3339 times, with a space for the `T` and without a zone too (rsyslog's forward format), epoch seconds (Meraki),
  a year before or after, decimals, a zone, an asterisk for a clock that is not set (Cisco);
- sequence numbers and a host before the time, `%FACILITY-SEVERITY-MNEMONIC:` for a tag (Cisco);
- tags that were cut after 32 characters, their colon too (rsyslog), so that their process ids are not whole;
- `Message forwarded from HOST:` (AIX);
- `<PRI>TAG: text` and `<PRI>text` without a header (Python's SysLogHandler).
"""

import re
from typing import Final, NamedTuple

from ingest.protocols.syslog.structured import end_of_structured
from ingest.protocols.syslog.times import Clock, nanoseconds
from ingest.severity import severity_of

PRI_MAX: Final = 191
_BOM: Final = "\ufeff"

_RFC5424: Final = re.compile(
    r"(?:<(?P<pri>\d{1,3})>)?[1-9]\d?\ +"
    r"(?:-|(?P<date>\d{4}-\d\d-\d\d)[Tt](?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?(?P<zone>[Zz]|[+-]\d\d:\d\d)?)"
    r"\ +(?P<host>\S+)\ +(?P<app>\S+)\ +(?P<procid>\S+)\ +(?P<msgid>\S+)(?:\ +|$)",
    re.ASCII,
)
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_HEADER: Final = re.compile(
    r"(?:<(?P<pri>\d{1,3})>)?\ *"
    r"(?:1\ (?=\d{10}[.\ ]))?"
    r"(?:(?P<sequence>\d{1,12})?:\ +)?"
    rf"(?:(?P<origin>[\w.-]+):\ +(?=[*.]?{_MONTH}\ ))?"
    r"[*.]?(?:"
    rf"(?P<date>{_MONTH}\ +\d{{1,2}}(?:\ +(?:19|20)\d\d)?|\d{{4}}-\d\d-\d\d|(?:19|20)\d\d\ {_MONTH}\ +\d{{1,2}})"
    r"[Tt\ ]\ *(?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d+))?"
    r"(?:\ (?P<year>(?:19|20)\d\d)(?=[:\ ]))?"
    r"(?P<zone>Z|\ ?(?:UTC|GMT)(?=[:\ ])|\ ?[+-]\d\d:?\d\d|\ [A-Z]{3,5}(?=:))?"
    r"|(?P<epoch>\d{10})(?:\.(?P<epoch_fraction>\d+))?)"
    r"(?::\ |\ |:?$)\ *",
    re.ASCII,
)
_PRI: Final = re.compile(r"<(\d{1,3})>\ ?", re.ASCII)
_TAG: Final = re.compile(
    r"(?P<app>[^\s:\[\]]{1,128}(?::[^\s:\[\]]{1,128}){0,8})"
    r"(?:\[(?P<procid>[^\]\s]{0,128})\](?::|(?=\ )|$)|:(?=[\ \[]|$))"
)
_CUT_TAG: Final = re.compile(r"(?=[^\s:]{32}\ )(?P<app>[^\s:\[]+)(?:\[(?P<procid>)\d*\]?)?(?=\ )")
_MNEMONIC: Final = re.compile(r"%([A-Z0-9_]+)(?:-[A-Z0-9_]+)*-[0-7]-\w+(?=:)", re.ASCII)
_HOST: Final = re.compile(r"(?:Message\ forwarded\ from\ )?(?P<host>[\w.:%-]+(?<!:)):?\ +(?::\ +)?", re.ASCII)
_PROGRAMS: Final = frozenset({"http", "log", "config", "success"})
"""Words for a severity to some libraries, which stand for a program more often before a colon."""
_LONE_TAG: Final = re.compile(r"(?P<app>[A-Za-z_][\w./-]{0,47})(?:\[(?P<procid>\d{1,10})\])?:\ ", re.ASCII)
_EMPTY_TAG: Final = ": "


class Parsed(NamedTuple):
    """The parts of a message; '' where there is none, and `priority` -1."""

    priority: int
    time_ns: int | None
    host: str
    app: str
    procid: str
    msgid: str
    sequence: str
    structured: str
    """Structured data as it stands in the message."""
    message: str
    error: str = ""
    """What was wrong with the message, of which `message` is then all that could not be read."""


def parse(text: str, seconds_of: Clock) -> Parsed:
    """Any text is some message: what cannot be understood has `error`."""
    if found := _RFC5424.match(text):
        return _rfc5424(text, found, seconds_of)
    if found := _HEADER.match(text):
        return _legacy(text, found, seconds_of)
    return _without_header(text)


def _rfc5424(text: str, found: re.Match[str], seconds_of: Clock) -> Parsed:
    pri, date, clock, fraction, zone, host, app, procid, msgid = found.groups()
    priority = int(pri or -1)
    if priority > PRI_MAX:
        return _unread(text, f"the priority {priority} is over {PRI_MAX}")
    time_ns = None
    if date:
        time_ns = _time_ns(f"{date} {clock}", zone or "", fraction, seconds_of)
        if time_ns is None:
            return _unread(text, f"there is no time {date}T{clock}{zone or ''}")
    at = found.end()
    structured = ""
    if text.startswith("[", at):
        end = end_of_structured(text, at)
        if end < 0:
            error = f"the structured data is damaged at character {at + 1}"
            return Parsed(priority, time_ns, _nil(host), _nil(app), _nil(procid), _nil(msgid), "", "", text[at:], error)
        structured, at = text[at:end], end
    elif text.startswith("-", at) and text[at + 1 : at + 2] in ("", " "):
        at += 1
    if text.startswith(" ", at):
        at += 1
    if text.startswith(_BOM, at):
        at += 1
    return Parsed(priority, time_ns, _nil(host), _nil(app), _nil(procid), _nil(msgid), "", structured, text[at:])


def _legacy(text: str, found: re.Match[str], seconds_of: Clock) -> Parsed:
    pri, sequence, origin, date, clock, fraction, year, zone, epoch, epoch_fraction = found.groups()
    priority = int(pri or -1)
    if priority > PRI_MAX:
        return _unread(text, f"the priority {priority} is over {PRI_MAX}")
    time_ns: int | None
    if epoch:
        time_ns = int(epoch) * 1_000_000_000 + nanoseconds(epoch_fraction or "")
    else:
        date = f"{date} {year}" if year else date
        time_ns = _time_ns(f"{date} {clock}", (zone or "").strip(), fraction, seconds_of)
        if time_ns is None:
            return _unread(text, f"there is no time {date} {clock}")
    host, app, procid, msgid, at = _host_and_tag(text, found.end(), origin or "")
    return Parsed(priority, time_ns, host, app, procid, msgid, sequence or "", "", _without_bom(text[at:]))


def _time_ns(stamp: str, zone: str, fraction: str | None, seconds_of: Clock) -> int | None:
    seconds = seconds_of(stamp, zone)
    return None if seconds is None else seconds * 1_000_000_000 + nanoseconds(fraction or "")


def _host_and_tag(text: str, at: int, host: str) -> tuple[str, str, str, str, int]:
    """Host, app, process id and message id of what follows the time at `at`, and where the message begins."""
    tag = _TAG.match(text, at)
    if tag is None and not host and (named := _HOST.match(text, at)):
        host, at = named["host"], named.end()
        tag = _TAG.match(text, at) or _CUT_TAG.match(text, at)
    if tag and text.startswith(" %", tag.end()) and _MNEMONIC.match(text, tag.end() + 1):
        host, at, tag = tag["app"], tag.end() + 1, None
    if text.startswith("%", at) and (mnemonic := _MNEMONIC.match(text, at)):
        return host, mnemonic[1], "", mnemonic[0][1:], at
    if tag is None:
        return host, "", "", "", at
    return host, tag["app"], tag["procid"] or "", "", tag.end() + text.startswith(" ", tag.end())


def _without_header(text: str) -> Parsed:
    pri = _PRI.match(text)
    if pri is None:
        return _unread(text, "no syslog header")
    priority = int(pri[1])
    if priority > PRI_MAX:
        return _unread(text, f"the priority {priority} is over {PRI_MAX}")
    at = pri.end()
    if text.startswith(_EMPTY_TAG, at):
        return Parsed(priority, None, "", "", "", "", "", "", _without_bom(text[at + len(_EMPTY_TAG) :]))
    tag = _LONE_TAG.match(text, at)
    if tag is None or (tag["app"].isalpha() and severity_of(tag["app"]) and tag["app"].lower() not in _PROGRAMS):
        return Parsed(priority, None, "", "", "", "", "", "", _without_bom(text[at:]))
    return Parsed(priority, None, "", tag["app"], tag["procid"] or "", "", "", "", text[tag.end() :])


def _unread(text: str, error: str) -> Parsed:
    return Parsed(-1, None, "", "", "", "", "", "", text, error)


def _nil(word: str) -> str:
    return "" if word == "-" else word


def _without_bom(message: str) -> str:
    return message[1:] if message.startswith(_BOM) else message
