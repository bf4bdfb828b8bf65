"""Attributes that become columns of segments, or are left in the message: every question is answered as before."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from logstore.attributes import Kind
from logstore.settings import StoreSettings
from logstore.store import Store
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from tests.execution.records import START_NS, append, record

DOTS_FROM = 700
QUERIES = (
    "* | sort by n, id",
    'id="id-000000000017"',
    "attributes.id:000000000017",
    'id=~"id-0+1.$" | fields id, n, attributes',
    "status=404 | fields n, status, ratio",
    "status>=404 status<=500 | stats count() as c, p50(ratio) as r by status",
    "* | stats count_distinct(id) as ids, sum(n) as n, max(ratio) as r",
    "ratio>2.5 ratio<3 | fields n",
    "ok=true | stats count() as c",
    "* | top 5 status",
    "deep.a=3 | fields deep.a, deep",
    "* | stats count() as c, sum(deep.a) as s by deep.in.word | sort by c desc",
    "deep.in.word=w2 deep.in.flag=true | stats count() as c",
    "deep.in.id:000000017 | fields deep.in.id, deep.in",
    "deep.ratio>4 deep.ratio<5 | fields n, deep.ratio",
    "deep.list.1=2 | stats count() as c",
    "not deep.in.word:* | fields n, deep",
    "deep.in.word.too=3 or deep.none=4 or deep.in=9 or n=5 | fields n",
    "deep.a:text | stats count() as c",
    'deep:"flag" deep.in:"w3" | stats count() as c',
    "deep.list:17 or deep.a=5 | stats count() as c",
    "* | stats count() as c by deep.a | sort by c desc, deep.a",
    "attributes.deep.a=2 | stats max(deep.in.id) as m",
    "Status:* | fields Status, status",
    "* | stats count() as c by mixed | sort by c desc, mixed",
    "not id:* | fields message",
    "_p=P | stats count() as c, sum(n) as n",
    "attributes._seq=2 attributes._template=1 | stats count() as c, sum(n) as n",
    "missing:* or user:ann | fields user, n",
    'message*="017" | fields n',
    '"line 17" or "17" | fields n',
    "level=error not attributes.status=500 | stats count() as c by status",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, compact_files=2)
    with Store.open(tmp_path / "data", settings) as opened:
        yield opened


def records(first: int, count: int, *, ids_come_twice: bool) -> list[dict[str, Any]]:
    return [_record(n, ids_come_twice=ids_come_twice) for n in range(first, first + count)]


def _record(n: int, *, ids_come_twice: bool) -> dict[str, Any]:
    said = {
        "id": f"id-{n // 100 if ids_come_twice else n:012}",
        "n": n,
        "status": [200, 404, 500][n % 3],
        "ratio": n / 40,
        "ok": n % 2 == 0,
        "mixed": [n % 5, f"text {n % 5}", n % 5 + 0.5, None, [n % 5]][n % 5],
        "deep": _deep(n),
        "_p": "F" if n % 4 else "P",
        "_seq": n % 3,
        "_template": n % 4,
        "Status": "other" if n % 50 == 0 else "one",
        "level": ["info", "error"][n % 2],
    }
    if n % 11 == 0:
        return record(START_NS + n, f"line {n} says nothing of itself", attributes={"n": n, "user": "ann"})
    pushed = {"user": "bob", "status": "404"} if n % 13 == 0 else None
    return record(START_NS + n, json.dumps(said), attributes=pushed, severity="")


def _deep(n: int) -> object:
    """Now and then no object, or with keys that have dots, or with values that no column has."""
    if n > DOTS_FROM and n % 23 == 0:
        return {"in.word": "dotted", "in": {"word": "w1", "word.too": 3}, "a": "text"}
    if n % 29 == 0:
        return [{"a": 3, "in": {"word": "w2"}}, [n], None, "deep"][n % 4]
    inside = {"word": f"w{n % 5}", "flag": n % 2 == 0, "id": f"inside-{n:09}"}
    return {"a": "text" if n % 31 == 0 else n % 7, "in": inside, "ratio": n / 8 + 0.25, "list": [n, n % 3]}


def answers(store: Store, engine: Engine) -> list[list[Any]]:
    return [_rows(store, engine, query) for query in QUERIES]


def check(store: Store, engine: Engine, expected: list[list[Any]]) -> None:
    for query, wanted, found in zip(QUERIES, expected, answers(store, engine), strict=True):
        assert len(found) == len(wanted), query
        for was, is_now in zip(wanted, found, strict=True):
            assert is_now == was, query


def _rows(store: Store, engine: Engine, query: str) -> list[Any]:
    with run(store, engine, Request(query, limit=0)) as answer:
        table = pa.Table.from_batches(answer.batches(), schema=answer.schema)
    columns = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    rows = pa.table(columns, table.column_names).to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def test_answers_do_not_tell_where_attributes_are(store: Store, engine: Engine) -> None:
    append(store, records(0, 600, ids_come_twice=False))
    first = answers(store, engine)
    assert all(first), [query for query, rows in zip(QUERIES, first, strict=True) if not rows]
    store.flush()
    (segment,) = store.snapshot().segments
    kinds = dict(segment.columns.kinds)
    assert {key.lower() for key in kinds} == {"n", "status", "ratio", "ok", "level", "user", "mixed", "_p"}
    assert len(kinds) == 8, "of two keys that differ in case alone, one has a column"
    assert (kinds["n"], kinds["ratio"], kinds["ok"]) == (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN)
    assert set(segment.columns.omitted) == {"deep", "id"}
    inner = {nested.name: nested for nested in segment.columns.nested}
    assert {name: nested.kind for name, nested in inner.items()} == {
        "deep.a": Kind.INTEGER,
        "deep.ratio": Kind.NUMBER,
        "deep.in.word": Kind.TEXT,
        "deep.in.flag": Kind.BOOLEAN,
    }
    assert {name for name, nested in inner.items() if not nested.is_all} == {"deep.a"}
    assert not any(nested.has_dots for nested in inner.values())
    check(store, engine, first)
    read, not_there = (
        explain(store, engine, Request(f"* | stats count() by deep.{key}")) for key in ("in.word", "none")
    )
    assert read["bytes"] > not_there["bytes"], "the column's own are told"
    append(store, records(600, 400, ids_come_twice=True))
    both = answers(store, engine)
    store.flush()
    check(store, engine, both)
    assert store.compact() == 1
    (merged,) = store.snapshot().segments
    assert "id" in dict(merged.columns.kinds)
    assert "id" in merged.columns.omitted
    inner = {nested.name: nested for nested in merged.columns.nested}
    assert inner["deep.in.word"].has_dots
    assert not inner["deep.a"].is_all
    check(store, engine, both)
    store._segments.rebuild_index(merged)
    store.indexes.forget([merged])
    check(store, engine, both)


LINES = (
    '{{"n": {n}, "id": "line-{n:09}", "lr": 1e-0{exponent}, "tags": ["a", "b{n}"], "in": {{"x": 1.50, "y": "z{n}"}}}}',
    "n={n} is no object",
    '{{"n": {n}, "cut',
    '["n", {n}]',
    "{{}}",
    ' {{"n":{n},"tags":[{n},-0]}}\n',
)
OF_LINES = (
    "*",
    "n=30",
    "n>=17 | fields attributes",
    "* | stats count() as c by lr",
    "* | stats count() as c by in.x",
    "tags:* | fields tags, n | sort by n",
    'tags="[\\"a\\",\\"b30\\"]" | fields n',
    'in="{\\"x\\":1.5,\\"y\\":\\"z30\\"}" | fields in, in.y',
    'attributes:"b30" | fields n',
)


def line(n: int) -> dict[str, Any]:
    return record(START_NS + n, LINES[n % len(LINES)].format(n=n, exponent=n % 3 + 5))


def as_they_are(store: Store, engine: Engine) -> list[list[Any]]:
    found = []
    for query in OF_LINES:
        with run(store, engine, Request(query, limit=0)) as answer:
            table = pa.Table.from_batches(answer.batches(), schema=answer.schema)
        columns = [column.cast(pa.string()).to_pylist() for column in table.columns]
        found.append(list(zip(*columns, strict=True)))
    return found


def test_attributes_that_are_those_of_lines_are_read_in_the_messages(store: Store, engine: Engine) -> None:
    append(store, [line(n) for n in range(500)])
    in_memory = as_they_are(store, engine)
    assert all(in_memory)
    store.flush()
    (segment,) = store.snapshot().segments
    assert segment.columns.of_line and segment.columns.kinds and segment.columns.omitted
    assert as_they_are(store, engine) == in_memory
    of_attributes, of_messages = (
        explain(store, engine, Request(f"* | fields {name}", limit=0), analyze=True)["analyze"]["bytes"]
        for name in ("attributes", "message")
    )
    assert of_attributes == of_messages
    append(store, [line(n) for n in range(500, 700)])
    both = as_they_are(store, engine)
    store.flush()
    assert as_they_are(store, engine) == both
    assert store.compact() == 1
    assert all(segment.columns.of_line for segment in store.snapshot().segments)
    assert as_they_are(store, engine) == both


@pytest.mark.parametrize(
    "other", [record(START_NS, '{"n": 500}', attributes={"by": "hand"}), record(START_NS, '{"n": 1, "n": 500}')]
)
def test_one_record_with_others_has_all_put_together_of_columns(
    store: Store, engine: Engine, other: dict[str, Any]
) -> None:
    append(store, [*(line(n) for n in range(500)), other])
    with run(store, engine, Request("* | fields n, attributes | sort by n", limit=0)) as answer:
        before = pa.Table.from_batches(answer.batches()).to_pylist()
    store.flush()
    (segment,) = store.snapshot().segments
    assert not segment.columns.of_line
    with run(store, engine, Request("* | fields n, attributes | sort by n", limit=0)) as answer:
        after = pa.Table.from_batches(answer.batches()).to_pylist()
    assert [(row["n"], json.loads(row["attributes"] or "{}")) for row in after] == [
        (row["n"], json.loads(row["attributes"] or "{}")) for row in before
    ]
