"""Very many ids at once, in a list or with `or` between them: row groups without any of them are left out, and one pass
over the messages of the others tells which records have one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.misses import Misses
from query.remembered import Answers
from query.request import Request
from tests.execution.records import S_NS, START_NS, append, record

GROUPS, GROUP_ROWS = 40, 32
IDS = [f"{at * 7919:08x}" for at in range(GROUPS * GROUP_ROWS)]
SOUGHT = IDS[5 :: GROUP_ROWS * 2]
"""One in every second row group."""
OR = " or ".join(f"{one.upper()}" for one in SOUGHT)
LIST = ", ".join(f'"{one}"' for one in SOUGHT)


@pytest.fixture(params=["held in memory", "read one after the other"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if request.param.startswith("read"):
        monkeypatch.setattr("query.picking.PICKED_MAX_BYTES", 1)
        monkeypatch.setattr("query.few.PICKED_MAX_BYTES", 1)
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, row_group_rows=GROUP_ROWS)
    with Store.open(tmp_path / "data", settings) as opened:
        lines = [f'{{"level":"info", "trace_id":"{one}", "n":{at}}}' for at, one in enumerate(IDS)]
        append(opened, [record(START_NS + at * S_NS, line) for at, line in enumerate(lines)])
        opened.flush()
        append(opened, [record(START_NS - S_NS, f"{SOUGHT[0]} again"), record(START_NS, "of no id")])
        yield opened


def found(store: Store, engine: Engine, query: str) -> list[dict[str, object]]:
    engine.answers, engine.misses = Answers(), Misses()
    with run(store, engine, Request(query, limit=0, order="asc")) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


@pytest.mark.parametrize(
    ("query", "skipped"),
    [
        (f"({OR})", GROUPS - len(SOUGHT)),
        (f"({OR} or 77x77 or nowh*)", 0),
        (f"trace_id in ({LIST})", GROUPS - len(SOUGHT)),
    ],
)
def test_all_records_of_very_many_ids_are_found(store: Store, engine: Engine, query: str, skipped: int) -> None:
    wanted = [IDS.index(one) for one in SOUGHT]
    rows = found(store, engine, f"{query} n:* | fields n")
    assert [row["n"] for row in rows] == wanted
    assert found(store, engine, f"{query} n:* | stats count() as c, sum(n) as s") == [
        {"c": len(wanted), "s": sum(wanted)}
    ]
    others = [row["message"] for row in found(store, engine, f"not {query} not n:*")]
    assert others == [*([f"{SOUGHT[0]} again"] if "trace_id" in query else []), "of no id"]
    told = {stage["stage"]: stage for stage in explain(store, engine, Request(query))["stages"]}
    assert sum(told["words"]["skipped"].values()) == skipped
