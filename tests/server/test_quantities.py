import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.quantities import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("64MiB", 64 * 1024 * 1024),
        ("512MB", 512_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("10kb", 10_000),
        ("7", 7),
        (7, 7),
        ("0", 0),
        ("2TiB", 2 * 1024**4),
    ],
)
def test_sizes_are_bytes(text: object, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("7d", 604_800), ("250ms", 0.25), ("1.5h", 5_400), ("2w", 1_209_600), ("5m", 300), (3, 3), ("3", 3)],
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "MiB", "-1MiB", "1XiB", "1 2", "1e9", True, None, [], "\u0661MiB"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "5 years", "-5s", "5M", "1:30", None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.integers(0, 10**15))
def test_a_formatted_size_is_read_back(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


@given(st.integers(0, 10**8))
def test_a_formatted_duration_is_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-5)
