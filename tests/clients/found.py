"""What a server has of a pod, or of all, as the tests compare it."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.serving import ServerProcess

WITHIN_S = 30.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def found(server: ServerProcess, q: str, count: int = 0) -> list[dict[str, Any]]:
    """The records in the order of their times; waits until there are as many."""
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        answer = server.query(q, order="asc", limit=0)
        records = [json.loads(line) for line in answer.text.splitlines()]
        if len(records) >= count or time.monotonic() > deadline_s:
            return records
        time.sleep(0.05)


def time_ns(record: dict[str, Any]) -> int:
    """Exactly, from its nine digits."""
    whole, _, digits = record["time"].removesuffix("Z").partition(".")
    return (datetime.fromisoformat(whole + "+00:00") - _EPOCH) // timedelta(seconds=1) * 10**9 + int(digits)
