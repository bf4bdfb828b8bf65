"""A typed SQL expression, and its readings: as text, as a number, as JSON, as a duration or size, as a condition.

The value of an attribute or label is of kind JSON: `sql` is its text form (a JSON string's text, a number's own text,
`true` and `false`, else JSON text), which is what everything is decided on; `json` is what an answer shows.
"""

from dataclasses import dataclass
from typing import Final

from logstore.errors import Position
from query import literals
from query.ast import Dimension
from query.errors import invalid
from query.sql.answer import Kind
from query.sql.fragment import Sql, bind, sql

_NUMBER_ONLY: Final = f"^(?:{literals.NUMBER})$"
TRUE: Final = Sql("true")
FALSE: Final = Sql("false")


@dataclass(frozen=True, slots=True)
class Value:
    """`name`: the field's, if it is one; its last letters may tell the unit of bare numbers.

    `verbatim`: a column that always compares as text. `nullable`: may be null. `number`: of kind JSON, its number where
    that need not be made of the text: null where it is none. `present`: likewise, whether its text is not empty.
    """

    sql: Sql
    kind: Kind
    json: Sql | None = None
    name: str = ""
    verbatim: bool = False
    nullable: bool = True
    number: Sql | None = None
    present: Sql | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A SQL condition; where it is null (`nullable`), it counts as false."""

    sql: Sql
    nullable: bool = True


def text(value: Value) -> Sql:
    """The value's text form."""
    match value.kind:
        case Kind.TEXT | Kind.JSON:
            return value.sql
        case Kind.TIME:
            return time_text(value.sql)
        case Kind.FLOAT:
            return sql(r"regexp_replace(CAST({} AS VARCHAR), '\.0$', '')", value.sql)
        case _:
            return sql("CAST({} AS VARCHAR)", value.sql)


def time_text(time: Sql) -> Sql:
    """RFC 3339, UTC, nine digits. (DuckDB's own format of nanoseconds is wrong.)"""
    ns = sql("((epoch_ns({}) % 1000000000 + 1000000000) % 1000000000)", time)
    second = sql("make_timestamp_ns(epoch_ns({}) - {})", time, ns)
    digits = sql("lpad(CAST({} AS VARCHAR), 9, '0')", ns)
    return sql("strftime({}, '%Y-%m-%dT%H:%M:%S.') || {} || 'Z'", second, digits)


def number(value: Value, at: Position | None = None) -> Sql:
    """The value as DOUBLE, null where it is no number; may be infinite where a text names such a number."""
    if value.number is not None:
        return value.number
    match value.kind:
        case Kind.FLOAT:
            return value.sql
        case Kind.INTEGER:
            return sql("CAST({} AS DOUBLE)", value.sql)
        case Kind.TIME:
            raise invalid("a time is no number", at, "epoch(…) gives its seconds since 1970")
        case Kind.BOOLEAN:
            raise invalid("a condition is no number", at, "if(…, 1, 0) makes one of it")
        case _:
            return sql(f"TRY_CAST(regexp_extract({{}}, '{_NUMBER_ONLY}') AS DOUBLE)", value.sql)


def finite(piece: Sql) -> Sql:
    """The number, null if it is not finite. (The lambda evaluates the piece once; CASE alone would repeat it.)"""
    return sql("list_transform([{}], lambda v: CASE WHEN isfinite(v) THEN v END)[1]", piece)


def json(value: Value) -> Sql:
    """The value as JSON text."""
    match value.kind:
        case Kind.JSON:
            assert value.json is not None
            return value.json
        case Kind.TEXT:
            return sql("CAST(to_json({}) AS VARCHAR)", value.sql)
        case Kind.TIME:
            return sql("CAST(to_json({}) AS VARCHAR)", time_text(value.sql))
        case _:
            return text(value)


def condition(value: Value, at: Position | None = None) -> Condition:
    """The value as a condition: texts hold if they are `true`."""
    match value.kind:
        case Kind.BOOLEAN:
            return Condition(value.sql, value.nullable)
        case Kind.TEXT | Kind.JSON:
            return Condition(sql("{} = 'true'", value.sql), value.nullable)
        case _:
            raise invalid(f"a {value.kind} is no condition", at, "compare it with something")


def boolean(condition: Condition) -> Value:
    """The condition as a value, never null."""
    piece = sql("coalesce({}, false)", condition.sql) if condition.nullable else condition.sql
    return Value(piece, Kind.BOOLEAN, nullable=False)


def quantity(value: Value, dimension: Dimension) -> Sql:
    """The value in ns or bytes as DOUBLE: a duration or size, or a bare number in its field's unit; else null."""
    unit = float(literals.bare_unit(value.name, dimension))
    if value.kind in (Kind.INTEGER, Kind.FLOAT):
        return _whole(sql("{} * {}", number(value), bind(unit)))
    parsed = _duration(Sql("v")) if dimension is Dimension.DURATION else _size(Sql("v"))
    if value.number is not None:
        bare = _whole(sql("{} * {}", value.number, bind(unit)))
        told = sql("list_transform([{}], lambda v: {})[1]", text(value), parsed)
        return sql(
            "CASE WHEN {} IS NOT NULL THEN {} WHEN {} IS NOT NULL THEN {} END", value.number, bare, text(value), told
        )
    bare = _whole(sql("CAST(v AS DOUBLE) * {}", bind(unit)))
    is_number = f"regexp_full_match(v, '{literals.NUMBER}')"
    return sql(
        f"list_transform([{{}}], lambda v: CASE WHEN {is_number} THEN {{}} ELSE {{}} END)[1]",
        text(value),
        bare,
        parsed,
    )


def _whole(piece: Sql) -> Sql:
    return sql("floor({} + 0.5)", piece)


def _duration(piece: Sql) -> Sql:
    units = literals.DURATION_UNITS
    groups = ", ".join(f"'{unit}_'" for unit in units)
    parts = [f"coalesce(floor(TRY_CAST(p.{unit}_ AS DOUBLE) * {ns}::DOUBLE + 0.5), 0)" for unit, ns in units.items()]
    total = f"CASE WHEN p.sign = '-' THEN -1 ELSE 1 END * ({' + '.join(parts)})"
    some = f"len(concat({', '.join(f'p.{unit}_' for unit in units)})) > 0"
    return sql(
        f"list_transform([regexp_extract({{}}, {{}}, ['sign', {groups}])],"
        f" lambda p: CASE WHEN {some} THEN {total} END)[1]",
        piece,
        bind(literals.DURATION),
    )


def _size(piece: Sql) -> Sql:
    cases = " ".join(f"WHEN '{unit}' THEN {size}::DOUBLE" for unit, size in literals.SIZE_UNITS.items())
    return sql(
        "list_transform([regexp_extract({}, {}, ['amount', 'unit'])],"
        f" lambda p: floor(TRY_CAST(p.amount AS DOUBLE) * CASE lower(p.unit) {cases} END + 0.5))[1]",
        piece,
        bind(literals.SIZE),
    )
