"""How fast records may come while a flush makes room for them."""

from hypothesis import given
from hypothesis import strategies as st

from logstore.pace import LONGEST_S, Pace

MIB = 1 << 20


def told(bytes_per_s: float, size_bytes: int = 32 * MIB) -> Pace:
    """A pace that knows how fast the last flush was, and of one that begins now."""
    pace = Pace()
    pace.begin(size_bytes, 0)
    pace.end(size_bytes / bytes_per_s)
    pace.begin(size_bytes, 100)
    return pace


def taken(pace: Pace, room_bytes: int, batch_bytes: int, until_s: float) -> tuple[int, float]:
    """How much a sender that never waits by itself gets in within so many seconds of the flush, and the longest wait of
    a batch."""
    now_s, size_bytes, longest_s = 100.0, 0, 0.0
    while size_bytes < room_bytes:
        wait_s = pace.spacing_s(batch_bytes, room_bytes - size_bytes, now_s)
        now_s += wait_s
        if now_s >= 100 + until_s:
            break
        size_bytes += batch_bytes
        longest_s = max(longest_s, wait_s)
    return size_bytes, longest_s


def test_nothing_waits_while_nothing_is_flushed() -> None:
    pace = told(10 * MIB)
    pace.end(103)
    assert pace.spacing_s(MIB, 1, 103) == 0


@given(st.floats(4 * MIB, 200 * MIB), st.floats(0.1, 0.7))
def test_what_comes_without_end_fills_as_much_of_the_room_as_of_the_flush_has_passed(
    speed: float, share: float
) -> None:
    room_bytes, took_s = 32 * MIB, 32 * MIB / speed
    size_bytes, longest_s = taken(told(speed), room_bytes, MIB // 4, share * took_s)
    assert abs(size_bytes / room_bytes - share) < 0.05
    assert longest_s <= LONGEST_S


@given(st.floats(1.0, 1.4))
def test_there_is_still_room_while_a_flush_takes_somewhat_longer_than_the_last_one(times: float) -> None:
    room_bytes, speed = 32 * MIB, 16 * MIB
    size_bytes, _ = taken(told(speed), room_bytes, MIB // 4, times * room_bytes / speed)
    assert room_bytes * 0.75 < size_bytes < room_bytes


def test_a_small_flush_tells_nothing() -> None:
    pace = told(10 * MIB)
    pace.end(103.2)
    before = told(10 * MIB).spacing_s(MIB, 32 * MIB, 100)
    pace.begin(1_000, 200)
    pace.end(201)
    pace.begin(32 * MIB, 100)
    assert abs(pace.spacing_s(MIB, 32 * MIB, 100) - before) < 0.01


def test_a_flush_that_gets_on_slowly_is_waited_for_longer_and_a_fast_one_less() -> None:
    def spacing_s(written: float, passed_s: float) -> float:
        pace = told(16 * MIB)
        pace.progress(written, 100 + passed_s)
        return pace.spacing_s(MIB, 32 * MIB, 100 + passed_s)

    as_expected = told(16 * MIB).spacing_s(MIB, 32 * MIB, 101)
    assert spacing_s(0.1, 1) > 2 * as_expected
    assert spacing_s(0.9, 1) < as_expected / 2


def test_a_flush_that_failed_tells_nothing_and_nobody_waits_for_it() -> None:
    pace = told(10 * MIB)
    before = pace.spacing_s(MIB, 32 * MIB, 100)
    pace.give_up()
    assert pace.spacing_s(MIB, 32 * MIB, 100) == 0
    pace.begin(32 * MIB, 100)
    assert pace.spacing_s(MIB, 32 * MIB, 100) == before
