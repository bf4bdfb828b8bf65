"""The keys of documents that say where they come from, made of the identity table for the kernel."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ingest.decoding import Names, Role
from ingest.identity_table import RECORD, UNIT, Table, normal

_OF_CONTRACT: Final = frozenset({"cluster", "namespace", "pod", "container", "stream", "severity", "level"})
"""Read by the kernel as they stand, unless they hold objects."""
_TIMES: Final = """
    datetime Timestamp instant timeMillis timestampSeconds @t asctime t.$date record.time.timestamp StartUTC start_time
    time_iso8601 time_local ISODATE timereported timegenerated _SOURCE_REALTIME_TIMESTAMP __REALTIME_TIMESTAMP
    stageTimestamp requestReceivedTimestamp lastTimestamp eventTime EventTime date_time
"""
"""Of Log4j, Google's agents, Serilog, Python, MongoDB, Loguru, access logs, syslog daemons, the journal, Kubernetes."""
_MESSAGES: Final = """
    MESSAGE Message @message short_message body.text event.original fields.message record.message @m RenderedMessage @mt
    MessageTemplate
"""
_ALSO: Final = {
    "@timestamp": Role.TIME,
    **dict.fromkeys(_TIMES.split(), Role.LATE_TIME),
    **dict.fromkeys(_MESSAGES.split(), Role.MESSAGE),
    **dict.fromkeys(("body", "Body"), Role.BODY),
    "event": Role.EVENT,
    **dict.fromkeys(("record", "record.time", "t"), Role.WALK),
    **dict.fromkeys(("traceId", "TraceId", "@tr", "logging.googleapis.com/trace"), Role.TRACE_ID),
    **dict.fromkeys(("spanId", "SpanId", "@sp", "logging.googleapis.com/spanId"), Role.SPAN_ID),
}
"""Names that agents and loggers use besides those of the contract; of two the first counts."""
_ROLES: Final = dict(zip(RECORD, (Role.SEVERITY, Role.TRACE_ID, Role.SPAN_ID), strict=True))


@lru_cache(maxsize=16)
def names_of(table: Table, own: tuple[tuple[str, Role], ...] = ()) -> Names:
    """What the kernel is to look for in documents; `own` names are those of one kind of them, before all others."""
    roles: dict[str, Role] = {**_ALSO, **dict(own)}
    for path in table.paths:
        role = _role(path, table)
        for spelt, its_role in _spellings(path, role, table):
            if spelt not in _OF_CONTRACT or its_role is Role.METADATA:
                roles.setdefault(spelt, its_role)
        if "." in path:
            _add_nested(path, role, table, roles)
    for wrapper in table.wrappers:
        _add_wrapper(wrapper, table, roles)
    roles |= dict(own)
    for prefix in table.pod_labels:
        roles.setdefault(prefix, Role.PREFIX)
    return Names.of(roles, table.holding)


def _add_nested(path: str, role: Role, table: Table, roles: dict[str, Role]) -> None:
    """An object that holds the path's value is taken whole, or walked if it differs from record to record."""
    head, *_ = keys = path.split(".")
    if head not in table.varying:
        roles.setdefault(head, _role(head, table) if head in table.paths else Role.OBJECT)
        roles.setdefault(head + ".", Role.PREFIX)
        return
    for depth in range(1, len(keys)):
        roles[".".join(keys[:depth])] = Role.WALK
    roles[path] = role


def _add_wrapper(wrapper: str, table: Table, roles: dict[str, Role]) -> None:
    head = wrapper.partition(".")[0]
    if head not in table.varying:
        roles.setdefault(head, Role.OBJECT)
        roles.setdefault(head + ".", Role.PREFIX)
        return
    roles[head] = Role.WALK
    for path in table.paths:
        if (role := _role(path, table)) is not Role.WEAK:
            _add_nested(f"{wrapper}.{path}", role, table, roles)


def _role(path: str, table: Table) -> Role:
    place = normal(path)
    target, _ = table.targets.get(place, ("", 0))
    if place in table.ambiguous or target == UNIT:
        return Role.WEAK
    if target:
        return _ROLES.get(target, Role.METADATA)
    return Role.TEXT if place in table.patterns else Role.METADATA


def _spellings(path: str, role: Role, table: Table) -> Iterator[tuple[str, Role]]:
    """As it stands, with underscores, and as journald writes it, which no application does."""
    flat = path.replace(".", "_")
    target, _ = table.targets.get(normal(path), ("", 0))
    yield from ((path, role), (flat, role))
    yield flat.upper(), _ROLES.get(target, role)
    yield f"_{flat.upper()}", _ROLES.get(target, Role.METADATA)
