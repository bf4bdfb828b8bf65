"""Durations and times as typed become what the contract's `start` and `end` take."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logq.errors import UsageError
from logq.times import duration_ns, moment, moment_ns, rfc3339, rfc3339_ns


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("15m", "-15m"),
        ("-15m", "-15m"),
        ("1h30m", "-90m"),
        ("1.5h", "-90m"),
        ("2d", "-48h"),
        ("1w", "-168h"),
        ("1500ms", "-1500ms"),
        ("90500ms", "-90500ms"),
        ("+5m", "+5m"),
        ("0s", "-0s"),
        ("2026-11-24", "2026-11-24T00:00:00Z"),
        ("2026-11-24T09:30:00+02:00", "2026-11-24T09:30:00+02:00"),
        ("1767225600", "1767225600"),
        ("now", "now"),
    ],
)
def test_what_is_sent(text: str, sent: str) -> None:
    assert moment(text, "--since") == sent


@pytest.mark.parametrize("text", ["", "yesterday", "5", "5x", "m", "1h-", "2026-11", "15 m"])
def test_what_is_no_duration(text: str) -> None:
    assert duration_ns(text) is None


@pytest.mark.parametrize("text", ["yesterday", "5x", "2026-13-45T00:00:00Z", "--"])
def test_what_is_no_time_says_how_one_looks(text: str) -> None:
    with pytest.raises(UsageError, match="--since: cannot read") as caught:
        moment(text, "--since")
    assert "15m" in caught.value.hint


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)), st.integers(0, 999), st.integers(-14 * 60, 14 * 60))
def test_rfc3339_in_any_zone_is_the_same_instant(time: datetime, more_ns: int, zone_minutes: int) -> None:
    expected = (time - datetime(1970, 1, 1)) // timedelta(microseconds=1) * 1_000 + more_ns
    there = time + timedelta(minutes=zone_minutes)
    sign = "-" if zone_minutes < 0 else "+"
    hours, minutes = divmod(abs(zone_minutes), 60)
    fraction = f"{there.microsecond * 1_000 + more_ns:09d}"
    text = f"{there:%Y-%m-%dT%H:%M:%S}.{fraction}{sign}{hours:02d}:{minutes:02d}"
    assert rfc3339_ns(text) == expected
    assert rfc3339_ns(rfc3339(expected)) == expected


def test_moments_in_nanoseconds() -> None:
    now = rfc3339_ns("2026-11-24T10:00:00Z") or 0
    assert rfc3339(moment_ns("-1h", now)) == "2026-11-24T09:00:00.000000000Z"
    assert moment_ns("1767225600", now) == moment_ns("1767225600000", now) == moment_ns("1767225600.0", now)
    assert (
        rfc3339(moment_ns("1767225600", now))
        == f"{datetime.fromtimestamp(1767225600, UTC):%Y-%m-%dT%H:%M:%S}.000000000Z"
    )
