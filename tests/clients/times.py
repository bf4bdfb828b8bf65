"""The times of records, as the tests compare them."""

from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_ns(record: dict[str, Any]) -> int:
    """Exactly, from its nine digits."""
    whole, _, digits = record["time"].removesuffix("Z").partition(".")
    return (datetime.fromisoformat(whole + "+00:00") - _EPOCH) // timedelta(seconds=1) * 10**9 + int(digits)
