"""docs/language.md: its examples are run over its records, and what it says comes out."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.protocols.native import decode
from ingest.request import Request
from logstore.buffer import number
from logstore.enrich import enrich, whole
from logstore.errors import InvalidQuery
from query.parser import parse
from query.sql import Kind, compile  # noqa: A004
from query.sql.functions import FUNCTIONS
from query.sql.stats import AGGREGATES
from tests.query.relation import connect

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text()
NOW_NS = 1_795_600_000 * 10**9
FILTERS = re.findall(r"^\| `(.+?)` \| ([\d ]*)\| .* \|$", PAGE, re.MULTILINE)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def records() -> pa.Table:
    (body,) = blocks("ndjson")
    decoded = decode(Request(body.encode(), NOW_NS))
    assert decoded.rejects == ()
    return pa.Table.from_batches([whole(enrich(number(decoded.batch, 0)))])


def answer(query: str, records: pa.Table) -> list[dict[str, object]]:
    compiled = compile(parse(query.replace(r"\|", "|"), NOW_NS))
    with connect() as connection:
        connection.register("records", records)
        rows = connection.execute(compiled.sql, compiled.params).fetchall()
    found = []
    for row in rows:
        pairs = zip(compiled.columns, row, strict=True)
        found.append({column.name: _plain(column.kind, value) for column, value in pairs if value is not None})
    return found


def _plain(kind: Kind, value: object) -> object:
    if kind is Kind.JSON:
        return json.loads(str(value))
    return f"{value:%Y-%m-%dT%H:%M:%S}.000000000Z" if kind is Kind.TIME else value


@pytest.mark.parametrize(("query", "ids"), FILTERS, ids=[query for query, _ in FILTERS])
def test_filters_find_what_the_page_says(query: str, ids: str, records: pa.Table) -> None:
    found = answer(f"{query} | fields id", records)
    assert sorted(str(row["id"]) for row in found) == ids.split()


@pytest.mark.parametrize("block", blocks("query"))
def test_pipes_answer_what_the_page_says(block: str, records: pa.Table) -> None:
    query, *expected = block.splitlines()
    assert answer(query, records) == [json.loads(line) for line in expected]


@pytest.mark.parametrize("block", blocks("error"))
def test_errors_read_as_the_page_says(block: str) -> None:
    query, expected = block.splitlines()
    with pytest.raises(InvalidQuery) as caught:
        compile(parse(query, NOW_NS))
    assert str(caught.value) == expected


def test_the_page_names_every_function_and_aggregate() -> None:
    missing = [name for name in (*FUNCTIONS, *AGGREGATES) if f"`{name}" not in PAGE]
    assert missing == []
