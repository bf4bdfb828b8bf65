"""The small kernels, each against Python's own reading."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstore.native import TIME_OK, TIME_UNREADABLE, canonical_json, is_utf8, library_name, parse_time
from logstore.record import TIME_MAX_NS, TIME_MIN_NS
from tests.reference.strict_json import strict_object

TIME_OUT_OF_RANGE = 2
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.binary(max_size=100))
@example(b"\xf4\x8f\xbf\xbf")
@example(b"\xf4\x90\x80\x80")
@example(b"\xed\x9f\xbf\xed\xa0\x80")
@example(b"x" * 40 + b"\xc0\x80")
@example(b"x" * 31 + b"\xe2\x82")
def test_utf8_is_what_python_decodes(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError:
        assert not is_utf8(content)
    else:
        assert is_utf8(content)


@given(
    st.datetimes(datetime(1678, 1, 2), datetime(2261, 12, 30)),
    st.integers(-(23 * 60 + 59), 23 * 60 + 59),
    st.text("0123456789", max_size=12),
)
def test_rfc3339_with_any_offset(local: datetime, offset_minutes: int, fraction: str) -> None:
    zone = timezone(timedelta(minutes=offset_minutes))
    moment = local.replace(microsecond=0, tzinfo=zone)
    text = moment.isoformat()
    text = text[:19] + (f".{fraction}" if fraction else "") + text[19:]
    expected = (moment - EPOCH) // timedelta(seconds=1) * 10**9 + int((fraction + "0" * 9)[:9])
    assert parse_time(text.encode()) == (TIME_OK, expected)


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1700000000", 1_700_000_000 * 10**9),
        ("1700000000123", 1_700_000_000_123 * 10**6),
        ("1700000000123456", 1_700_000_000_123_456 * 1000),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        ("1700000000.000000001", 1_700_000_000 * 10**9 + 1),
        ("1700000000.1234567899", 1_700_000_000_123_456_789),
        ("1700000000123.456789", 1_700_000_000_123_456_789),
        ("1.7e9", 1_700_000_000 * 10**9),
        ("17000000000000e-4", 1_700_000_000 * 10**9),
        ("9214646399", 9_214_646_399 * 10**9),
        ("-1.5", -1_500_000_000),
        ("0", 0),
        ("0.000e99", 0),
        ("1e-999999999999", 0),
    ],
)
def test_the_unit_of_an_epoch_number_is_told_by_its_magnitude(text: str, time_ns: int) -> None:
    assert parse_time(text.encode()) == (TIME_OK, time_ns)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01"),
        *("2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+1", "2024-01-01T00:00:00+24:00"),
        *("2024-01-01T00:00:00Zx", " 1700000000", "1700000000 ", "1_000", "1.", ".5", "1e", "--1", "+1", "0x10", "NaN"),
    ],
)
def test_what_is_no_time_is_unreadable(text: str) -> None:
    assert parse_time(text.encode())[0] == TIME_UNREADABLE


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "99999999999", "1e300", "12345678901234567890", "-1e10"]
)
def test_times_outside_the_kept_centuries_are_told_apart(text: str) -> None:
    assert parse_time(text.encode())[0] == TIME_OUT_OF_RANGE


def test_the_first_and_last_kept_nanoseconds() -> None:
    assert parse_time(b"1678-01-01T00:00:00Z") == (TIME_OK, TIME_MIN_NS)
    assert parse_time(b"2261-12-31T23:59:59.999999999Z") == (TIME_OK, TIME_MAX_NS)
    assert parse_time(str(TIME_MAX_NS).encode()) == (TIME_OK, TIME_MAX_NS)
    assert parse_time(b"1677-12-31T23:59:59.999999999Z")[0] == TIME_OUT_OF_RANGE
    assert parse_time(b"2262-01-01T00:00:00Z")[0] == TIME_OUT_OF_RANGE


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(_JSON, st.booleans(), st.sampled_from([None, 1]))
def test_canonical_json_means_the_same_and_is_one_text(value: object, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    canonical = canonical_json(text, is_sorted=True)
    assert canonical is not None
    assert json.loads(canonical) == value
    assert canonical == canonical_json(json.dumps(value, ensure_ascii=not is_ascii).encode(), is_sorted=True)
    assert b"\n" not in canonical


def test_canonical_objects_have_unique_keys_however_many() -> None:
    keys = [f"key{i % 500}" for i in range(2000)]
    text = "{" + ",".join(f'"{key}":{i}' for i, key in enumerate(keys)) + "}"
    canonical = canonical_json(text.encode())
    assert canonical is not None
    expected = {key: str(i) for i, key in enumerate(keys)}
    assert strict_object(canonical.decode()) == expected


@given(st.binary(max_size=40))
@example(b"[" * 129)
@example(b'{"a":1,}')
@example(b'"\x01"')
def test_what_is_not_json_is_refused(text: bytes) -> None:
    try:
        json.loads(text.decode("utf-8", "replace"), parse_constant=_refuse)
    except ValueError:
        assert canonical_json(text) is None
    else:
        assert canonical_json(text) is not None


def _refuse(name: str) -> None:
    raise ValueError(name)


def test_a_processor_gets_the_library_that_it_can_run() -> None:
    v3 = ["fpu", "sse4_2", "abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"]
    assert library_name(v3, "") == "kernels_v3"
    assert library_name(v3, "baseline") == "kernels"
    assert library_name([flag for flag in v3 if flag != "bmi2"], "") == "kernels"
    assert library_name([], "") == "kernels"


def test_the_library_for_any_processor_passes_the_same_tests() -> None:
    tests = ["tests/native", "tests/logstore/test_tokens.py", "tests/logstore/test_templates.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not same_tests", *tests]
    environment = {**os.environ, "LOGSTORE_KERNELS": "baseline"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3000:]
