"""Every format against the readers that others use: json, csv, pyarrow."""

import csv
import io
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from query.answer import End, schema
from query.encode import CHUNK_BYTES, Format, encode
from query.sql import Column, Kind

TIME_MIN_NS, TIME_MAX_NS = -9_214_560_000_000_000_000, 9_214_646_399_999_999_999


@dataclass
class Rows:
    columns: tuple[Column, ...]
    table: pa.Table
    is_grouped: bool = False
    end: End = field(default_factory=lambda: End(truncated=False, cursor=""))

    @property
    def schema(self) -> pa.Schema:
        return schema(self.columns)

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from self.table.to_batches(max_chunksize=7)


COLUMNS = (
    Column("time", Kind.TIME),
    Column("message", Kind.TEXT),
    Column('odd "name"\n', Kind.INTEGER),
    Column("ratio", Kind.FLOAT),
    Column("is_on", Kind.BOOLEAN),
    Column("attributes", Kind.JSON),
    Column("trace_id", Kind.TEXT),
)
JSON_TEXTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)
).filter(lambda value: isinstance(value, dict))
ROW = st.tuples(
    st.integers(TIME_MIN_NS, TIME_MAX_NS),
    st.text(),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.booleans(),
    st.none() | JSON_TEXTS.map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.none() | st.text(),
)


def rows(values: list[tuple[object, ...]], is_grouped: bool = False) -> Rows:
    columns = list(zip(*values, strict=True)) if values else [[] for _ in COLUMNS]
    arrays = [pa.array(list(c), f.type) for c, f in zip(columns, schema(COLUMNS), strict=True)]
    # A leading row is cut off again, so that every array has an offset into its buffers.
    padded = [pa.concat_arrays([pa.array([None], array.type), array]).slice(1) for array in arrays]
    return Rows(COLUMNS, pa.table(padded, schema=schema(COLUMNS)), is_grouped)


def text(answer: Rows, form: Format) -> bytes:
    return b"".join(encode(answer, form))


def rfc3339(time_ns: int) -> str:
    second, nanosecond = divmod(time_ns, 10**9)
    moment = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
    days, rest = divmod(second, 86_400)
    day = datetime.fromordinal(moment.toordinal() + days)
    return f"{day:%Y-%m-%d}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}.{nanosecond:09}Z"


def expected(row: tuple[object, ...], keeps_nulls: bool) -> dict[str, object]:
    time_ns, message, number, ratio, is_on, attributes, trace_id = row
    pairs = {
        "time": rfc3339(time_ns),  # type: ignore[arg-type]
        "message": message,
        'odd "name"\n': number,
        "ratio": ratio,
        "is_on": is_on,
        "attributes": None if attributes is None else json.loads(attributes),  # type: ignore[arg-type]
        "trace_id": trace_id,
    }
    if keeps_nulls:
        return pairs
    is_absent = {"attributes": [None, {}], "trace_id": [None, ""]}
    return {
        name: value
        for name, value in pairs.items()
        if not any(value is a or (a is not None and value == a) for a in is_absent.get(name, [None]))
    }


@given(st.lists(ROW, max_size=30))
def test_ndjson_reads_back(values: list[tuple[object, ...]]) -> None:
    lines = text(rows(values), Format.NDJSON).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == [expected(row, keeps_nulls=False) for row in values]


@given(st.lists(ROW, max_size=30))
def test_json_reads_back(values: list[tuple[object, ...]]) -> None:
    found = json.loads(text(rows(values, is_grouped=True), Format.JSON))
    assert found == [expected(row, keeps_nulls=True) for row in values]


@given(st.lists(ROW, max_size=30))
def test_csv_reads_back(values: list[tuple[object, ...]]) -> None:
    written = text(rows(values), Format.CSV).decode()
    header, *found = csv.reader(io.StringIO(written, newline=""))
    assert header == [column.name for column in COLUMNS]
    for line, (time_ns, message, number, ratio, is_on, attributes, trace_id) in zip(found, values, strict=True):
        assert line[:2] == [rfc3339(time_ns), message]  # type: ignore[arg-type]
        assert line[2] == ("" if number is None else str(number))
        assert (float(line[3]) if line[3] else None) == ratio
        assert line[4] == {None: "", True: "true", False: "false"}[is_on]  # type: ignore[index]
        assert line[5:] == [attributes or "", trace_id or ""]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_to_the_bit_and_has_no_more_digits_than_python_writes(value: float) -> None:
    table = pa.table({"x": pa.array([value], pa.float64())})
    written = text(Rows((Column("x", Kind.FLOAT),), table), Format.CSV).split(b"\r\n")[1]
    assert float(written) == value
    assert _digits(written.decode()) <= _digits(repr(value))
    if value:
        assert struct.pack("d", float(written)) == struct.pack("d", value)


def _digits(number: str) -> int:
    """How many significant digits a decimal has."""
    return len(number.partition("e")[0].replace(".", "").lstrip("-0").rstrip("0"))


def test_what_json_cannot_write_is_null() -> None:
    table = pa.table({"x": pa.array([math.nan, math.inf, -math.inf], pa.float64())})
    written = text(Rows((Column("x", Kind.FLOAT),), table, is_grouped=True), Format.NDJSON)
    assert written == b'{"x":null}\n' * 3


def test_a_row_of_nulls_is_an_empty_object() -> None:
    table = pa.table({"x": pa.array([None, 1], pa.int64())})
    assert text(Rows((Column("x", Kind.INTEGER),), table), Format.NDJSON) == b'{}\n{"x":1}\n'


def test_json_over_several_lines_stays_on_one() -> None:
    table = pa.table({"x": pa.array(['{\n "a": 1\r\n}'])})
    written = text(Rows((Column("x", Kind.JSON),), table), Format.NDJSON)
    assert written.count(b"\n") == 1
    assert json.loads(written) == {"x": {"a": 1}}


def test_text_is_messages_and_newlines_or_all_columns_with_tabs() -> None:
    assert text(rows([(0, "a\tb", None, None, None, None, None)]), Format.TEXT) == b"a\tb\n"
    counted = Rows(
        (Column("pod", Kind.TEXT), Column("count", Kind.INTEGER)), pa.table({"pod": ["p", None], "count": [1, 2]})
    )
    assert text(counted, Format.TEXT) == b"p\t1\n\t2\n"


def test_arrow_and_parquet_are_the_same_table() -> None:
    answer = rows([(i, "m", i, i / 3, True, '{"a":1}', None) for i in range(20_000)])
    arrow = pa.ipc.open_stream(text(answer, Format.ARROW)).read_all()
    parquet = pq.read_table(io.BytesIO(text(answer, Format.PARQUET)))
    assert arrow.equals(answer.table.cast(answer.schema))
    assert parquet.equals(arrow)
    assert arrow.schema.field("time").type == pa.timestamp("ns")


def test_an_empty_answer_is_valid_in_every_format() -> None:
    nothing = rows([])
    assert text(nothing, Format.NDJSON) == b""
    assert json.loads(text(nothing, Format.JSON)) == []
    assert text(nothing, Format.CSV).count(b"\r\n") == 1 + 0
    assert pa.ipc.open_stream(text(nothing, Format.ARROW)).read_all().num_rows == 0
    assert pq.read_table(io.BytesIO(text(nothing, Format.PARQUET))).num_rows == 0


def test_chunks_are_bounded_and_a_huge_row_comes_whole() -> None:
    small = Rows((Column("message", Kind.TEXT),), pa.table({"message": ["x" * 1_000] * 3_000}))
    assert all(len(chunk) <= CHUNK_BYTES for chunk in encode(small, Format.NDJSON))
    huge = "\x01é\n" * 1_000_000
    found = text(Rows((Column("message", Kind.TEXT),), pa.table({"message": ["a", huge, "b"]})), Format.NDJSON)
    assert [json.loads(line)["message"] for line in found.splitlines()] == ["a", huge, "b"]


def test_a_cut_answer_says_so_in_ndjson() -> None:
    answer = rows([(0, "m", None, None, None, None, None)])
    answer.end = End(truncated=True, cursor="0.1")
    last = text(answer, Format.NDJSON).splitlines()[-1]
    assert json.loads(last) == {"@end": {"truncated": True, "cursor": "0.1"}}
