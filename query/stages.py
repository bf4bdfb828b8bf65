"""What each stage of choosing what to read leaves over, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logstore.pruning import Bounds
from logstore.tokens import LARGE, NESTED
from query import analyse
from query.groups import INSIDE
from query.plan import Plan
from query.reading import Reading
from query.required import UNTOLD, Words
from query.times import format_time

SHOWN_MAX: Final = 8
"""Values that a reason names."""

_TOLD_APART: Final = {NESTED: "an object or list", LARGE: "a number of more than 15 digits with a fraction or exponent"}

SEGMENTS: Final = "segments"
ROW_GROUPS: Final = "row_groups"


@dataclass(frozen=True, slots=True)
class Stage:
    """How many segments or row groups (`unit`) came to it, how many it left out and by what, and what it went by."""

    name: str
    unit: str
    came: int
    skipped: Mapping[str, int]
    reason: str

    @property
    def left(self) -> int:
        return self.came - sum(self.skipped.values())

    def told(self) -> dict[str, object]:
        """As an answer has it."""
        return {
            "stage": self.name,
            "unit": self.unit,
            "in": self.came,
            "out": self.left,
            "skipped": dict(self.skipped),
            "reason": self.reason,
        }


def stages(
    segments: int, planned: Plan, reading: Reading, bounds: Bounds, row_groups: int, by_footers: Mapping[str, int]
) -> list[Stage]:
    """The stages in their order.

    Args:
        segments: all there are.
        row_groups: all of the segments that the catalog left.
        by_footers: those that the statistics in the files' footers rule out.
    """
    found = [Stage("catalog", SEGMENTS, segments, catalog_skipped(planned, reading), _catalog(reading, bounds))]
    left = row_groups
    for name, by, reason in (
        ("times", "time", _times(bounds)),
        ("streams", "stream", _streams(bounds)),
        ("templates", "template", _templates(reading)),
        ("words", "words", _words(reading)),
        ("counts", "counted", _counts(reading)),
    ):
        count = reading.skipped.get(by, 0)
        is_told = reading.asked is not None or (name == "counts" and reading.of_cells)
        why = reason if is_told else _unasked(planned, reading)
        stage = Stage(name, ROW_GROUPS, left, {by: count} if count else {}, why)
        found.append(stage)
        left = stage.left
    return [*found, Stage("statistics", ROW_GROUPS, left, by_footers, _statistics(bounds))]


def catalog_skipped(planned: Plan, reading: Reading) -> dict[str, int]:
    """Segments that are left out by what the query asks for, those in which a search found nothing of it before, and
    those that the catalog counts itself."""
    counted = len(planned.pieces) - reading.missed - len(reading.pieces) if reading.asked is None else 0
    skipped = {"nothing_matched": reading.missed, "counted": counted}
    return {**planned.skipped, **{reason: count for reason, count in skipped.items() if count}}


def _catalog(reading: Reading, bounds: Bounds) -> str:
    outside = {column: values for column, values in bounds.identity.items() if column not in INSIDE}
    reason = _asked_for([*_time(bounds), *_identity(outside)], "no time, cluster or namespace is asked for")
    if reading.counted and reading.asked is None:
        reason += f"; the catalog counts {reading.counted:,} records of segments that lie wholly within"
    return reason


def _unasked(planned: Plan, reading: Reading) -> str:
    if analyse.has_subquery(reading.query):
        return "not asked: a subquery may need any record"
    if not planned.pieces:
        return "not asked: the catalog leaves no segment"
    if reading.counted:
        return "not asked: the catalog counts the records"
    return "not asked: no stream and no condition on what records say is asked for"


def _times(bounds: Bounds) -> str:
    return _asked_for(_time(bounds), "no time is asked for")


def _streams(bounds: Bounds) -> str:
    inside = {column: values for column, values in bounds.identity.items() if column in INSIDE}
    return _asked_for(_identity(inside), "no pod or container is asked for")


def _templates(reading: Reading) -> str:
    asked = reading.asked
    if asked is None or (asked.possible == asked.templates and not asked.surely):
        return "no condition that templates of messages decide"
    surely = f", {asked.surely:,} surely by words that all their messages have in a segment" if asked.surely else ""
    return f"{asked.possible:,} of {asked.templates:,} templates of messages can match{surely}"


def _words(reading: Reading) -> str:
    if reading.asked is None or not reading.asked.words:
        return "no word of `message` or of an attribute that every match has"
    return f"every match has: {_listed([_alternatives(words) for words in reading.asked.words], ', and ')}"


def _counts(reading: Reading) -> str:
    if reading.of_cells:
        return f"the indexes of {reading.of_cells:,} segments have counts of their records by what is asked for"
    if reading.grouped is not None:
        return "the indexes count the records of each pattern"
    if not reading.counted:
        return "nothing is counted by templates alone"
    return f"templates tell that {reading.counted:,} records count, without reading them"


def _statistics(bounds: Bounds) -> str:
    asked = [*_time(bounds), *_identity(bounds.identity)]
    return _asked_for(asked, "no time, cluster, namespace, pod or container is asked for")


def _asked_for(asked: Sequence[str], nothing: str) -> str:
    return f"asked for: {'; '.join(asked)}" if asked else nothing


def _time(bounds: Bounds) -> list[str]:
    parts = [f"from {format_time(bounds.start_ns)}"] if bounds.start_ns is not None else []
    parts += [f"until {format_time(bounds.end_ns)}"] if bounds.end_ns is not None else []
    return [f"time {' '.join(parts)}"] if parts else []


def _identity(identity: Mapping[str, Iterable[str]]) -> list[str]:
    return [f"{column} {_listed(sorted(values), ' or ')}" for column, values in identity.items()]


def _alternatives(words: Words) -> str:
    named = sorted(words - _TOLD_APART.keys() - UNTOLD.keys())
    return _listed([*named, *(told for word, told in _TOLD_APART.items() if word in words)], " or ")


def _listed(texts: Sequence[str], between: str) -> str:
    shown = [text or "''" for text in texts[:SHOWN_MAX]]
    more = [f"{len(texts) - SHOWN_MAX:,} more"] if len(texts) > SHOWN_MAX else []
    return between.join([*shown, *more]) or "nothing"
