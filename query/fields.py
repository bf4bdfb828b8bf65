"""Which fields the records of a query have: columns, attributes, labels; of what type, and how often.

Attributes are counted in the newest records up to a bound, which the answer then states.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logstore.record import COLUMNS, SCHEMA
from logstore.store import Store
from query.answer import Answer
from query.engine import Engine
from query.execute import run_parsed
from query.parser import parse
from query.request import Request, record_part
from query.session import Session
from query.sql import Kind

SAMPLE_ROWS: Final = 20_000
SAMPLE_BYTES: Final = 32 << 20
MAX_FIELDS: Final = 1_000

_TYPES: Final = {
    Kind.TEXT: "string",
    Kind.JSON: "json",
    Kind.TIME: "time",
    Kind.INTEGER: "number",
    Kind.FLOAT: "number",
    Kind.BOOLEAN: "boolean",
}

_KEYS_SQL: Final = """
SELECT key AS name, sum(records)::BIGINT AS count, arg_max(type, records) AS type
FROM (
    SELECT key, count(*) AS records, CASE entry.type
        WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array'
        ELSE 'number' END AS type
    FROM sample, json_each(sample.object) AS entry
    WHERE entry.type != 'NULL'
    GROUP BY ALL
)
GROUP BY name ORDER BY count DESC, name LIMIT ?
"""


def fields(store: Store, engine: Engine, request: Request) -> dict[str, object]:
    """`{"fields": [{"name", "kind", "type", "count"}]}`, the most frequent first within each kind.

    `count`: records that have the field, not empty. Of more than 20,000 records the newest are counted, and the
    answer has `"sampled": {"records": n}`; past 1,000 attributes or labels, `"truncated": true`.
    """
    query = record_part(parse(request.text, request.now_ns))
    with run_parsed(store, engine, query, SAMPLE_ROWS + 1, request) as answer:
        sample, is_whole = _sample(answer)
        columns = _columns(answer, sample)
    with engine.session() as session:
        attributes = _keys(session, sample, "attributes")
        labels = _keys(session, sample, "labels")
    found = [
        *columns,
        *({"name": row["name"], "kind": "attribute", **_facts(row)} for row in attributes[:MAX_FIELDS]),
        *({"name": row["name"], "kind": "label", **_facts(row)} for row in labels[:MAX_FIELDS]),
    ]
    told: dict[str, object] = {"fields": found}
    if not is_whole:
        told["sampled"] = {"records": sample.num_rows}
    if max(len(attributes), len(labels)) > MAX_FIELDS:
        told["truncated"] = True
    return told


def _sample(answer: Answer) -> tuple[pa.Table, bool]:
    """The newest records within the bounds, and whether that is all of them."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in answer.batches():
        batches.append(batch.slice(0, SAMPLE_ROWS - rows))
        rows += batch.num_rows
        size += batch.nbytes
        if rows > SAMPLE_ROWS or size > SAMPLE_BYTES:
            return pa.Table.from_batches(batches), False
    return pa.Table.from_batches(batches, schema=answer.schema), True


def _columns(answer: Answer, sample: pa.Table) -> list[dict[str, object]]:
    """The stored columns, then those that the query made."""
    names = [*SCHEMA.names, *(column.name for column in answer.columns if column.name not in COLUMNS)]
    kinds = {column.name: column.kind for column in answer.columns}
    return [
        {"name": name, "kind": "column", "type": _TYPES[kinds[name]], "count": _filled(sample[name])}
        for name in names
        if name in kinds and name not in ("labels", "attributes")
    ]


def _filled(column: pa.ChunkedArray) -> int:
    if not pa.types.is_string(column.type):
        return int(len(column) - column.null_count)
    filled: int = pc.sum(pc.not_equal(column, "")).as_py() or 0
    return filled


def _keys(session: Session, sample: pa.Table, column: str) -> list[dict[str, object]]:
    if column not in sample.column_names:
        return []
    session.register("sample", pa.table({"object": sample[column].drop_null()}))
    found: list[dict[str, object]] = session.fetch(_KEYS_SQL, [MAX_FIELDS + 1]).to_pylist()
    return found


def _facts(row: dict[str, object]) -> dict[str, object]:
    return {"type": row["type"], "count": row["count"]}
