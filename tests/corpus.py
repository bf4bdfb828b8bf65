"""Made-up records of a few containers: plain, JSON, access-log and klog lines."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PODS = (("shop", "web-0"), ("shop", "web-1"), ("payments", "api-0"), ("_node", "node-a"))


def records(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """`count` records in the order of their times, some of which are equal; the message says its number."""
    source = random.Random(seed)
    moment = START
    made: list[dict[str, Any]] = []
    for number in range(count):
        moment += timedelta(milliseconds=source.choice((0, 1, 250)))
        namespace, pod = source.choice(PODS)
        made.append(
            {
                "time": moment.isoformat().replace("+00:00", "Z"),
                "cluster": "test",
                "namespace": namespace,
                "pod": pod,
                "container": "main",
                "stream": source.choice(("stdout", "stderr")),
                "message": _message(source, number),
            }
        )
    return made


def _message(source: random.Random, number: int) -> str:
    status = source.choice((200, 404, 500))
    return source.choice(
        (
            f"line {number} connection reset by peer",
            f'{{"level":"error","msg":"line {number}","status":{status}}}',
            f'10.0.0.{number % 250} - - "GET /api/items/{number}" {status}',
            f"E0301 12:00:00.000000       1 server.go:{number}] line {number}",
            f"level=warn line={number} duration=12ms",
        )
    )
