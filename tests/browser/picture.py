"""Makes docs/page.png: `python -m tests.browser.picture`. A real server, an hour of real lines, an opened record."""

import json
import math
import random
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from server.demo import SOURCES, _record
from tests.browser import lines
from tests.browser.chromium import Chromium
from tests.serving import ServerProcess

PICTURE = Path(__file__).parents[2] / "docs" / "page.png"
SEED = 7
ROUTES = (
    ("GET", "/api/v1/products"),
    ("POST", "/api/v1/orders"),
    ("GET", "/api/v1/orders/8214"),
    ("PUT", "/api/v1/cart"),
)
FAULTS = (("error", "connection reset by payments-db:5432"), ("warn", "retrying the charge after 429"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder) / "data") as server:
        body = "".join(json.dumps(record) + "\n" for record in hour(lines.now(), random.Random(SEED)))
        assert server.post(body.encode()).json()["rejected"] == []
        server.query("*", limit=1)
        browser = Chromium(Path(folder) / "profile", 1240, 760)
        browser.open(f"{server.url}/?q=namespace:shop+container:app&column=attributes.route")
        browser.wait_text("#status", "loaded")
        browser.find(".canvas .row.is-error, .canvas .row.is-warn").click()
        browser.find("#record dl")
        browser.screenshot(PICTURE)
        browser.close()
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


def hour(now: datetime, chance: random.Random) -> Iterator[dict[str, Any]]:
    """An hour in which the shop has its rush, and a few bad minutes."""
    containers = [(source, source.lines()) for source in SOURCES]
    for ago_s in range(3600, 0, -2):
        at = now - timedelta(seconds=ago_s)
        rush = 0.55 + 0.4 * math.sin(ago_s / 500)
        yield from (_record(*container, at.timestamp()) for container in containers if chance.random() < rush)
        if chance.random() < rush:
            yield _request(at + timedelta(seconds=chance.random()), 1500 < ago_s < 1800, chance)


def _request(at: datetime, is_bad: bool, chance: random.Random) -> dict[str, Any]:
    method, route = chance.choice(ROUTES)
    is_fault = chance.random() < (0.6 if is_bad else 0.06)
    severity, said = chance.choice(FAULTS) if is_fault else ("info", "request done")
    line = {
        "level": severity,
        "msg": said,
        "method": method,
        "route": route,
        "status": 502 if is_fault else 200,
        "duration_ms": round(chance.expovariate(1 / 40) + (900 if is_fault else 3), 1),
        "user": {"id": f"u-{chance.randrange(10_000)}", "plan": chance.choice(("free", "team"))},
    }
    return {
        "time": at.isoformat(),
        "namespace": "shop",
        "pod": f"checkout-6d9f-{chance.choice('abc')}",
        "container": "app",
        "message": json.dumps(line),
        "trace_id": f"{chance.getrandbits(128):032x}",
        "labels": {"app.kubernetes.io/name": "checkout", "node": "node-2"},
    }


if __name__ == "__main__":
    main()
