"""Times one by one, to the nanosecond."""

import pytest

from ingest.times import epoch_ns, rfc3339_ns, time_ns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700000000", 1_700_000_000_000_000_000),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("1700000000.1", 1_700_000_000_100_000_000),
        ("1700000000.1234567899", 1_700_000_000_123_456_789),
        ("1700000000123", 1_700_000_000_123_000_000),
        ("1700000000123.5", 1_700_000_000_123_500_000),
        ("1700000000123456", 1_700_000_000_123_456_000),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        ("1.7e9", 1_700_000_000_000_000_000),
        ("1.7E+18", 1_700_000_000_000_000_000),
        ("-1.5", -1_500_000_000),
        (" 0 ", 0),
    ],
)
def test_the_unit_of_an_epoch_number_is_told_by_its_size(text: str, expected: int) -> None:
    assert epoch_ns(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05.123456789+02:00", 1_767_315_845_123_456_789),
        ("2026-01-02t03:04:05z", 1_767_323_045_000_000_000),
        ("2026-01-02 03:04:05,5-0700", 1_767_348_245_500_000_000),
        ("2026-01-02T03:04:05.1234567899Z", 1_767_323_045_123_456_789),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
    ],
)
def test_dates_with_any_offset(text: str, expected: int) -> None:
    assert rfc3339_ns(text) == expected
    assert time_ns(text) == expected


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2026-02-30T00:00:00Z", "2026-01-02T25:00:00Z", "1.2.3", None, True, {}, "٣", "nan"]
)
def test_what_is_no_time(value: object) -> None:
    assert time_ns(value) is None
