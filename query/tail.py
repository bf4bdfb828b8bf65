"""Tails: many readers that are sent what comes, each by its own query.

One thread wakes when records come, at most every 50 ms, and takes the new batch through all distinct queries at once;
equal ones are evaluated and written once, whoever reads them.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import pyarrow as pa
import structlog

from logstore.enrich import whole
from logstore.errors import Busy, InvalidQuery, LogstoreError
from logstore.follow import Follow
from logstore.store import Store
from query import analyse, ast
from query.catchup import Backlog, CatchUp, TailQuery, in_seq_order, records_of, visible_seq
from query.engine import Engine
from query.events import Event, Failed, Mark, Records
from query.follower import Held, Outbox, Piece
from query.matching import Mask, Matcher, match, matcher
from query.parser import parse
from query.session import Session
from query.settings import Size
from query.sharing import SharedLines
from query.sql import Compiled
from query.sql.answer import Column

log = structlog.get_logger("query.tail")

TICK_S: Final = 0.05
PAUSE_S: Final = 0.01
BATCH_ROWS: Final = 8_192
_IDLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class TailSettings:
    """Limits of all tails of one server."""

    max_followers: int = 500
    """Tails at once (tail_max_followers)."""
    held_bytes: int = 24 << 20
    """Lines that wait for readers, all together; past it those who lag miss records."""


@dataclass(slots=True)
class _Group:
    """Readers of the same query."""

    tail: TailQuery
    matcher: Matcher
    compiled: Compiled
    readers: set["Follower"] = field(default_factory=set)


_Shared: TypeAlias = Mapping[tuple[Column, ...], SharedLines]
"""A batch as readers see it whose queries have no pipes, by the columns that are shown."""


class Follower:
    """One tail. Read `backlog` to its end, then call `take` whenever notified, and once a second."""

    def __init__(
        self, hub: "Hub", group: _Group, outbox: Outbox, start: Callable[["Follower"], Iterator[Event]]
    ) -> None:
        self._hub = hub
        self._start = start
        self.group = group
        self.outbox = outbox
        self.after_seq = -1
        """Only records after this number are sent live."""

    def backlog(self) -> Iterator[Event]:
        """What comes before the live records; blocks while it reads the store. The tail is live when it ends."""
        return self._start(self)

    def take(self) -> list[Event]:
        """What is to be sent now; does not wait. Ends with `Failed` where the tail cannot go on."""
        return self.outbox.take()

    def finish(self) -> list[Event]:
        """The last things to send, when the server stops: what is left, and a cursor."""
        return self.outbox.finish()

    def close(self) -> None:
        """Takes the reader out; nothing is kept for it any more."""
        self._hub.remove(self)


class Hub:
    """All tails of one store. Methods are safe in any thread."""

    def __init__(self, store: Store, engine: Engine, settings: TailSettings | None = None) -> None:
        self._store = store
        self._engine = engine
        self._settings = settings or TailSettings()
        self._held = Held(self._settings.held_bytes)
        self._lock = threading.Condition()
        self._groups: dict[TailQuery, _Group] = {}
        self._followers: set[Follower] = set()
        self._follow: Follow | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tails", daemon=True)
        self._thread.start()

    @property
    def followers(self) -> int:
        return len(self._followers)

    def subscribe(
        self,
        text: str,
        *,
        cursor: int | None = None,
        backlog: Backlog | None = None,
        with_seq: bool = False,
        notify: Callable[[], None] = lambda: None,
        now_ns: int | None = None,
    ) -> Follower:
        """A reader of what comes from now on; after a cursor, or a backlog, if one is given (a cursor wins).

        Args:
            text: a filter with `where`, `extend` and `fields` at most.
            notify: called, in any thread, when `take` has something.

        Raises:
            InvalidQuery: also where the query is no row-wise one.
            Busy: too many tails.
        """
        now_ns = time.time_ns() if now_ns is None else now_ns
        query = parse(text, now_ns)
        _check_rowwise(query)
        tail = TailQuery(query, with_seq)
        group = _Group(tail, matcher(query), tail.compiled())
        catch_up = CatchUp(self._store, self._engine, tail)

        def start(follower: Follower) -> Iterator[Event]:
            if cursor is not None:
                yield from self._resume(follower, catch_up, cursor)
            elif backlog is not None:
                newest = visible_seq(self._store)
                yield from catch_up.backlog(backlog, newest, now_ns)
                yield from self._resume(follower, catch_up, newest)

        follower = Follower(self, group, Outbox(self._held, notify), start)
        with self._lock:
            if len(self._followers) >= self._settings.max_followers:
                raise Busy(
                    f"{len(self._followers)} tails run already, which is the limit (tail_max_followers); try again soon"
                )
            self._followers.add(follower)
            if cursor is None and backlog is None:
                self._add(follower, visible_seq(self._store))
        return follower

    def _resume(self, follower: Follower, catch_up: CatchUp, after_seq: int) -> Iterator[Event]:
        """Everything after a number, and then live."""
        for event in catch_up.since(after_seq, lambda: visible_seq(self._store)):
            if isinstance(event, Mark):
                after_seq = int(event.cursor)
            yield event
        with self._lock:
            live_seq = max(after_seq, self._position())
            self._add(follower, live_seq)
        yield from catch_up.between(after_seq, live_seq)

    def _position(self) -> int:
        """Up to which number records have been taken through the queries, or need not be."""
        if self._follow is None:
            return visible_seq(self._store)
        return self._follow.after_seq

    def _add(self, follower: Follower, after_seq: int) -> None:
        """Makes a reader live; the lock is held."""
        if follower not in self._followers:
            return
        if self._follow is None:
            self._follow = self._store.follow(after_seq)
        follower.after_seq = after_seq
        follower.outbox.start(after_seq)
        follower.group = self._groups.setdefault(follower.group.tail, follower.group)
        follower.group.readers.add(follower)
        self._lock.notify_all()

    def remove(self, follower: Follower) -> None:
        with self._lock:
            self._followers.discard(follower)
            follower.group.readers.discard(follower)
            if not follower.group.readers and self._groups.get(follower.group.tail) is follower.group:
                del self._groups[follower.group.tail]
            if not self._groups:
                self._follow = None
            follower.outbox.clear()

    def close(self) -> None:
        """Stops sending; the readers can still take what is there."""
        self._stopping.set()
        with self._lock:
            self._lock.notify_all()
        self._thread.join()

    # The thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                self._lock.wait_for(lambda: self._follow is not None or self._stopping.is_set())
                follow = self._follow
            if follow is None or self._stopping.is_set():
                continue
            # Not under the lock: this waits, and only tells that something has come.
            follow.wait(_IDLE_S)
            started_s = time.monotonic()
            self._tick(follow)
            took_s = time.monotonic() - started_s
            # Also a late tick leaves time to those that write to its readers.
            self._stopping.wait(max(TICK_S - took_s, PAUSE_S))

    def _tick(self, follow: Follow) -> None:
        with self._lock:
            if follow is not self._follow:
                return
            missed = follow.missed
            records = follow.poll()
            groups = list(self._groups.values())
            if follow.missed > missed:
                log.warning("tails are too slow", missed_records=follow.missed - missed)
                for follower in self._live():
                    follower.outbox.miss(follow.missed - missed)
            if records is not None:
                for start in range(0, records.num_rows, BATCH_ROWS):
                    self._send(groups, records.slice(start, BATCH_ROWS))
            for follower in self._live():
                follower.outbox.cover(max(follow.after_seq, follower.after_seq))

    def _live(self) -> Iterator[Follower]:
        for group in self._groups.values():
            yield from group.readers

    def _send(self, groups: list[_Group], records: pa.Table) -> None:
        """Takes one batch through all queries."""
        try:
            with self._engine.session(Size.TAIL) as session:
                masks = match(session, records, [group.matcher for group in groups])
            accepted = [(group, mask) for group, mask in zip(groups, masks, strict=True) if mask.any()]
            shared = _shared(records, accepted)
        except Exception as error:
            if len(groups) > 1:
                # One of them is to blame; the others go on.
                for group in groups:
                    self._send([group], records)
                return
            self._fail(groups[0], error)
            return
        for group, mask in accepted:
            try:
                self._deliver(group, records, mask, shared)
            except Exception as error:
                self._fail(group, error)

    def _deliver(self, group: _Group, records: pa.Table, mask: Mask, shared: _Shared) -> None:
        seqs = records["_seq"].to_numpy()
        piece = self._piece(group, records, mask, shared)
        first_seq = seqs[mask.argmax()]
        for follower in group.readers:
            if follower.after_seq < first_seq:
                own = piece
            else:
                # It joined amid this batch.
                own = self._piece(group, records, mask & (seqs > follower.after_seq), shared)
            if own is not None:
                follower.outbox.put(own)

    def _piece(self, group: _Group, records: pa.Table, mask: Mask, shared: _Shared) -> Piece | None:
        written = self._written(group, records, mask, shared)
        return Piece(written, self._held) if written.rows else None

    def _written(self, group: _Group, records: pa.Table, mask: Mask, shared: _Shared) -> Records:
        if not mask.any():
            return Records(b"", 0)
        if not group.tail.query.pipes:
            return shared[group.compiled.columns].of(mask)
        with self._engine.session(Size.TAIL) as session:
            return _piped(session, group.compiled, whole(records.filter(pa.array(mask))))

    def _fail(self, group: _Group, error: Exception) -> None:
        log.error("tail failed", error=str(error), readers=len(group.readers))
        told = error if isinstance(error, LogstoreError) else LogstoreError("the server failed on this query")
        for follower in group.readers:
            follower.outbox.fail(Failed(told))
        group.readers.clear()
        self._groups.pop(group.tail, None)


def _shared(records: pa.Table, accepted: Sequence[tuple[_Group, Mask]]) -> _Shared:
    masks: defaultdict[tuple[Column, ...], list[Mask]] = defaultdict(list)
    for group, mask in accepted:
        if not group.tail.query.pipes:
            masks[group.compiled.columns].append(mask)
    return {columns: SharedLines(columns, records, of_them) for columns, of_them in masks.items()}


def _piped(session: Session, compiled: Compiled, chosen: pa.Table) -> Records:
    session.register("records", chosen)
    parts = [records_of(compiled, batch) for batch in session.stream(in_seq_order(compiled), compiled.params)]
    seqs = tuple(seq for part in parts for seq in part.seqs)
    return Records(b"".join(part.lines for part in parts), len(seqs), seqs)


def _check_rowwise(query: ast.Query) -> None:
    if analyse.has_subquery(query):
        raise InvalidQuery(
            "a tail cannot ask another query for its values", hint="run that query first, and list its values"
        )
    for pipe in query.pipes:
        if not isinstance(pipe, ast.Where | ast.Extend | ast.Fields):
            name = type(pipe).__name__.lower()
            raise InvalidQuery(
                f"a tail shows each record as it comes, so it cannot `{name}`",
                pipe.at,
                "where, extend and fields are possible; for the rest use a query",
            )
