"""Real lines over the last 50 minutes, and a few that try to break the page."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.loghub import lines

SPAN: Final = timedelta(minutes=50)
LINES_A_SYSTEM: Final = 800
SYSTEMS: Final = {"openssh": "_node", "hdfs": "storage", "apache": "shop"}
BIG: Final = -6952295868487656571
"""A block id of HDFS, which a double cannot hold."""

_SEVERITY: Final = re.compile(r"\b(INFO|WARN|error|notice)\b")


@dataclass(frozen=True, slots=True)
class Line:
    time: datetime
    namespace: str
    pod: str
    container: str
    severity: str
    message: str

    def as_json(self) -> str:
        record = {
            "time": self.time.isoformat(),
            "namespace": self.namespace,
            "pod": self.pod,
            "container": self.container,
            "severity": self.severity,
            "message": self.message,
        }
        if self.container == "hdfs":
            record |= {"attributes": {"block": BIG, "user": {"id": "ann lee"}}, "labels": {"app/tier": "data"}}  # type: ignore[dict-item]
        return json.dumps(record)


def written(now: datetime) -> list[Line]:
    """The lines in the order of their times, which are all different and end at `now`."""
    systems = list(SYSTEMS)
    total = LINES_A_SYSTEM * len(systems)
    return [_line(systems[i % len(systems)], i // len(systems), now - SPAN * (total - i) / total) for i in range(total)]


def body(records: list[Line]) -> bytes:
    return "".join(record.as_json() + "\n" for record in records).encode()


def now() -> datetime:
    return datetime.now(UTC)


def _line(system: str, number: int, time: datetime) -> Line:
    message = lines(system)[number].rstrip("\r")
    word = _SEVERITY.search(message)
    severity = {"notice": "info"}.get(word[0], word[0].lower()) if word else ""
    return Line(time, SYSTEMS[system], f"{system}-0", system, severity, message)
