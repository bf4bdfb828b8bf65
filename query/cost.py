"""What running a query costs: time by stage, and what is read for it."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from logstore.snapshot import Snapshot

Part = TypeVar("Part")

_NS_PER_S: Final = 1_000_000_000


class Stage(StrEnum):
    """The steps of a query, in their order."""

    PARSE = "parse"
    """The text into a syntax tree."""
    COMPILE = "compile"
    """The tree into SQL."""
    CATALOG = "catalog"
    """The segments that may match, from the catalog."""
    INDEXES = "indexes"
    """Their indexes, loaded where they were not in memory."""
    VERDICTS = "verdicts"
    """What conditions say of templates."""
    ROW_GROUPS = "row_groups"
    """The row groups that may match, by what the indexes tell."""
    WAIT = "wait"
    """For a turn among other queries."""
    READ = "read"
    """Picked row groups, read into memory."""
    SQL = "sql"
    """DuckDB's work, with the files that it reads."""


class Cost:
    """What a query has cost so far. One thread at a time adds to it.

    What is read is counted only where `is_detailed`: that has its own cost.
    """

    def __init__(self, *, is_detailed: bool = False) -> None:
        self.is_detailed = is_detailed
        self.spent_ns = dict.fromkeys(Stage, 0)
        self.sql_cpu_ns = 0
        """Of DuckDB's operators, on all its threads."""
        self.slices = 0
        """Slices of time there are; one, where the query does not walk them."""
        self.slices_read = 0
        self.slices_narrowed = 0
        """Those that were read for times alone first, so that fewer records had to be put together."""
        self.slices_direct = 0
        """Those whose rows were made without SQL: templates, identity and time tell which records match."""
        self.slices_halved = 0
        """As often as one was too much for the memory, and was read again in halves."""
        self.is_enlarged = False
        """Whether it was too much for the memory of small queries, and was run again in that of large ones."""
        self.is_isolated = False
        """Whether it was too much for that beside others, and was run again alone."""
        self.is_sparing = False
        """Whether it was too much for that, and records were read again in small steps."""
        self.row_groups = 0
        """Read, as often as they were."""
        self.bytes = 0
        """Compressed bytes of what was read of segments: of the columns' pages in row groups that were picked; of all
        that was read of files that DuckDB reads."""
        self.rows = 0
        """Records in what was read, buffered ones included."""
        self._groups_of_files = 0
        self._rows_of_files = 0

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Counts the time until it ends."""
        began_ns = time.perf_counter_ns()
        try:
            yield
        finally:
            self.spent_ns[stage] += time.perf_counter_ns() - began_ns

    def walking(self, parts: Iterable[Part]) -> Iterator[Part]:
        """The same slices of time, counted."""
        if self.is_detailed:
            parts = list(parts)
            self.slices = len(parts)
        for part in parts:
            self.slices_read += 1
            yield part

    def add_read(self, row_groups: int, size_bytes: int) -> None:
        """Notes row groups that were read into memory; their records are noted with the other ones there."""
        self.row_groups += row_groups
        self.bytes += size_bytes

    def set_files(self, row_groups: int, rows: int) -> None:
        """Notes how many row groups and records the files have that DuckDB reads from now on."""
        self._groups_of_files, self._rows_of_files = row_groups, rows

    def add_profile(self, profile: str) -> None:
        """Notes a statement by DuckDB's profile of it (https://duckdb.org/docs/current/dev/profiling).

        `rows_scanned` of it are those that its filters leave; the records come from the row groups, which are of about
        one size in a file. A statement that is answered by the files' footers has no profile.
        """
        told = json.loads(profile)
        totals = told.get("query", {})
        groups = totals.get("total_row_groups_scanned", 0)
        self.sql_cpu_ns += round(totals.get("cpu_time", 0) * _NS_PER_S)
        self.bytes += told.get("io", {}).get("total_bytes_read", 0)
        self.row_groups += groups
        if groups:
            self.rows += round(groups * self._rows_of_files / max(self._groups_of_files, 1))


@dataclass(frozen=True, slots=True)
class Trial:
    """A query run for its cost alone, in a given snapshot: it is worked out even if its answer is remembered, and not
    remembered for that."""

    snapshot: Snapshot
    cost: Cost
