"""Turns of queries, and one that must be alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from logstore.errors import Busy
from query.turns import Turns

SOON_S = 20.0


def test_no_more_run_than_may() -> None:
    turns = Turns(2, "large queries")
    first, _ = turns.take(0), turns.take(0)
    with pytest.raises(Busy, match=r"2 large queries run already.*query_concurrency"):
        turns.take(0)
    turns.end(first)
    turns.take(0)


def test_who_waits_gets_a_turn_that_ends() -> None:
    turns = Turns(1, "queries")
    first = turns.take(0)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(turns.take, SOON_S)
        turns.end(first)
        assert waiting.result(SOON_S).others == 0


def test_who_was_alone_all_the_time_gains_nothing_from_being_alone() -> None:
    turns = Turns(2, "queries")
    turn = turns.take(0)
    assert not turns.isolate(turn, SOON_S)


def test_one_that_is_alone_runs_after_the_others_and_before_those_that_come() -> None:
    turns = Turns(3, "queries")
    early, turn = turns.take(0), turns.take(0)
    with ThreadPoolExecutor(2) as threads:
        isolating = threads.submit(turns.isolate, turn, SOON_S)
        while not isolating.done():
            try:  # until the wish is known
                turns.end(turns.take(0))
            except Busy:
                break
        late = threads.submit(turns.take, SOON_S)
        assert not isolating.done() and not late.done()
        turns.end(early)
        assert isolating.result(SOON_S) and turn.is_alone
        assert not late.done()
        assert not turns.isolate(turn, 0), "it is alone already"
        turns.end(turn)
        late.result(SOON_S)


def test_many_that_want_to_be_alone_are_so_one_after_the_other() -> None:
    turns = Turns(8, "queries")
    taken = [turns.take(0) for _ in range(8)]
    alone = threading.Lock()

    def run(number: int) -> bool:
        isolated = turns.isolate(taken[number], SOON_S)
        was_free = alone.acquire(blocking=False)
        alone.release()
        turns.end(taken[number])
        return isolated and was_free

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(run, range(8)))
    assert turns.take(0).others == 0


def test_who_cannot_be_alone_in_time_is_told_and_holds_nobody_up() -> None:
    turns = Turns(2, "queries")
    _, turn = turns.take(0), turns.take(0)
    assert not turns.isolate(turn, 0.01)
    turns.end(turn)
    turns.take(0)


def test_who_is_called_off_waits_no_longer() -> None:
    turns = Turns(2, "queries")
    _, turn = turns.take(0), turns.take(0)
    called_off = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        isolating = threads.submit(turns.isolate, turn, 3_600.0, called_off.is_set)
        assert not isolating.done()
        called_off.set()
        assert not isolating.result(SOON_S)
    turns.end(turn)
    turns.take(0)
