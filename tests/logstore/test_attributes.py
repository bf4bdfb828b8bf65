"""Attributes taken apart and joined: nothing is lost, and every key reads as before."""

import json
import random
import struct
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstore import attributes
from logstore.attributes import ARROW, Kind, Split, join, line_json, line_text, of_line, prepend
from logstore.survey import KeyFacts, survey
from query.sql.fields import pointer

Keys = Sequence[tuple[str, Kind]]


def texts(values: Sequence[str | None]) -> pa.StringArray:
    return pa.array(values, pa.string())


def no_lines(rows: int) -> pa.StringArray:
    return texts([""] * rows)


def joined(parts: Split, keys: Keys, omit: Sequence[str], messages: pa.StringArray) -> list[str | None]:
    columns = [(key, column) for (key, _), column in zip(keys, parts.columns, strict=True)]
    whole = join(parts.rest, columns, omit, messages)
    whole.validate(full=True)
    return whole.to_pylist()


def taken_apart(values: Sequence[str | None], keys: Keys, omit: Sequence[str] = (), lines: Any = None) -> Split:
    messages = no_lines(len(values)) if lines is None else texts(lines)
    parts = split(texts(values), keys, omit, messages)
    for column in parts.columns:
        column.validate(full=True)
    assert [column.type for column in parts.columns] == [ARROW[kind] for _, kind in keys]
    parts.rest.validate(full=True)
    return parts


def split(values: pa.StringArray, keys: Keys, omit: Sequence[str], messages: pa.StringArray) -> Split:
    """With texts instead of the codes of words."""
    parts = attributes.split(values, keys, omit, messages)
    return replace(parts, columns=tuple(map(spelled_out, parts.columns)))


def spelled_out(column: pa.Array) -> pa.Array:
    column.validate(full=True)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def meaning(text: str | None) -> Any:
    """The members, numbers by kind and value; None where there are none."""
    if text is None:
        return None
    numbers = {"parse_int": lambda t: ("whole", t), "parse_float": lambda t: (t[0] == "-", Decimal(t))}
    return json.loads(text, **numbers) or None


def fitting(text: str, kind: Kind) -> Any:
    """What the column holds for the JSON text of a value; None if it does not fit."""
    value = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    match kind:
        case Kind.BOOLEAN:
            return value if isinstance(value, bool) else None
        case Kind.TEXT:
            is_text = isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
            return value if is_text else None
        case _:
            if not isinstance(value, Decimal):
                return None
            is_whole = not set(text) & set(".eE")
    if kind is Kind.INTEGER:
        return int(text) if is_whole and text != "-0" and -(2**63) <= value < 2**63 else None
    number = float(text)
    is_plain = number == 0 or 1e-4 <= abs(number) < 1e15
    return number if not is_whole and is_plain and Decimal(repr(number)) == value else None


NUMBER_TEXTS = st.one_of(
    st.integers().map(str),
    st.sampled_from((str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1), "0", "-0", "1" + "0" * 40)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(1e-5, 1e16).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(("45.120", "100.0", "1e2", "0.30000000000000004", "-0.0", "0e999", "-0.0e-7", "1e-4", "1e15")),
    st.sampled_from(("9.99999999999999999e-5", "999999999999999.9", "999999999999999.99", "1E+2", "0.1e1")),
)
STRING_TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8")).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(st.characters(codec="utf-8")).map(json.dumps),
    st.sampled_from((r'"\/"', r'"a\u0000b"', r'"\\u0000"', r'"\\\u0000"', r'"\ud83d\ude00"', r'"\u0041\b\f"', '""')),
)
BROKEN_TEXTS = st.sampled_from((r'"\ud800"', r'"x\udfff\ud83d"', r'["\ud800"]', '{"a":1,"a":2}'))
NESTED_TEXTS = st.recursive(
    st.one_of(NUMBER_TEXTS, STRING_TEXTS, st.sampled_from(("true", "false", "null"))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{' , '.join(items)}]"),
        st.dictionaries(STRING_TEXTS, inner, max_size=3).map(lambda items: object_text(list(items.items()))),
    ),
    max_leaves=6,
)
POOL = ("a", "A", "b", "a.b", "", "id", "é", "a/b~c", '"\\\n')
KEY_TEXTS = st.one_of(st.sampled_from(POOL).map(json.dumps), st.sampled_from((r'"\u0061"', '"é"')), STRING_TEXTS)
ASKED = st.dictionaries(st.sampled_from(POOL), st.sampled_from(Kind), max_size=6).map(lambda keys: list(keys.items()))


def object_text(members: Sequence[tuple[str, str]], blank: str = " ") -> str:
    return "{" + f",{blank}".join(f"{key}{blank}:{value}" for key, value in members) + "}"


def unique(members: Sequence[tuple[str, str]]) -> bool:
    keys = [json.loads(key) for key, _ in members]
    return len(set(keys)) == len(keys) and not any("\ufffd" in key for key in keys)


MEMBERS = st.lists(st.tuples(KEY_TEXTS, NESTED_TEXTS), max_size=8)
OBJECTS = st.builds(object_text, MEMBERS.filter(unique), st.sampled_from(("", " ", "\t")))
ANY_KEYS = st.one_of(KEY_TEXTS, st.sampled_from((r'"\ud800"', r'"\ud801"', r'"x\udc00"')))
ANY_OBJECTS = st.builds(object_text, st.lists(st.tuples(ANY_KEYS, NESTED_TEXTS | BROKEN_TEXTS), max_size=8))


ALIKE_KEYS = ("a", "b", "A", "a.b", "id")
ALIKE_VALUES = st.sampled_from(
    (
        "1",
        "12",
        "1.5",
        "1.50",
        "-0",
        "true",
        "false",
        "null",
        '""',
        '"x"',
        '"x,y"',
        r'"\n"',
        r'"\ud800"',
        '"é"',
        "[1]",
        '{"b":2}',
    )
)
ALIKE_ROWS = st.lists(
    st.tuples(st.integers(1, 5), st.lists(ALIKE_VALUES, min_size=5, max_size=5), st.sampled_from(["", "", "", " "])),
    min_size=1,
    max_size=8,
)


@given(ALIKE_ROWS, st.lists(st.sampled_from(Kind), min_size=5, max_size=5), st.integers(0, 5), st.booleans())
def test_rows_that_are_alike_are_taken_apart_like_each_alone(
    rows: list[tuple[int, list[str], str]], kinds: list[Kind], columns: int, is_open: bool
) -> None:
    keys = list(zip(ALIKE_KEYS, kinds, strict=True))[:columns]
    omit = list(ALIKE_KEYS[columns:4])
    values, lines = [], []
    for count, chosen, blank in rows:
        members = [(json.dumps(key), value) for key, value in zip(ALIKE_KEYS, chosen, strict=True)][:count]
        cut = len(members) // 2 if is_open else 0
        lines.append(object_text(members[cut:], blank))
        is_followed = cut and lines[-1][1] == '"'
        values.append(object_text(members[:cut], blank)[:-1] + "," if is_followed else object_text(members, blank))
    together = taken_apart(values, keys, omit, lines)
    alone = [taken_apart([value], keys, omit, [line]) for value, line in zip(values, lines, strict=True)]
    assert together.rest.to_pylist() == [text for part in alone for text in part.rest.to_pylist()]
    for place, column in enumerate(together.columns):
        assert column.to_pylist() == [value for part in alone for value in part.columns[place].to_pylist()]
    assert together.in_rest == tuple(any(part.in_rest[place] for part in alone) for place in range(columns))


@pytest.mark.parametrize(("words", "length", "is_coded"), [(256, 10, True), (257, 10, False), (9, 2_000, False)])
def test_few_texts_are_told_as_words_and_many_as_they_are(words: int, length: int, is_coded: bool) -> None:
    told = [f"{number % words}".ljust(length, "-") if number % 5 else None for number in range(4 * words)]
    values = texts([json.dumps({"id": text}, separators=(",", ":")) if text else None for text in told])
    [column] = attributes.split(values, [("id", Kind.TEXT)], [], no_lines(len(told))).columns
    assert pa.types.is_dictionary(column.type) == is_coded
    assert spelled_out(column).to_pylist() == told


@given(st.lists(st.none() | OBJECTS | ANY_OBJECTS, max_size=6), ASKED)
@example(['{"a":1,"\\u0061":2}', '{"a":1,"A":2}', "{}", None], [("a", Kind.INTEGER)])
@example([r'{"\ud800":1,"a":2}', r'{"\ufffd":1,"a":2}'], [("a", Kind.INTEGER)])
def test_what_was_taken_apart_joins_to_the_same_members(values: list[str | None], keys: Keys) -> None:
    parts = taken_apart(values, keys)
    for before, after in zip(values, joined(parts, keys, (), no_lines(len(values))), strict=True):
        assert meaning(after) == meaning(before)


@given(st.lists(MEMBERS.filter(unique), min_size=1, max_size=5), ASKED)
def test_a_column_holds_exactly_what_fits_it(rows: list[list[tuple[str, str]]], keys: Keys) -> None:
    parts = taken_apart([object_text(row) for row in rows], keys)
    for (key, kind), column, in_rest in zip(keys, parts.columns, parts.in_rest, strict=True):
        found = [next((text for name, text in row if json.loads(name) == key), "null") for row in rows]
        expected = [fitting(text, kind) for text in found]
        assert [(type(value), value) for value in column.to_pylist()] == [(type(value), value) for value in expected]
        assert in_rest == any(v is None and t != "null" for v, t in zip(expected, found, strict=True))
        for rest, value, row in zip(parts.rest.to_pylist(), expected, rows, strict=True):
            is_there = key in (json.loads(name) for name, _ in row)
            assert (key in json.loads(rest or "{}")) == (is_there and value is None)


CONNECTION = duckdb.connect()


def answer(expression: str, column: pa.Array, path: str = "") -> list[str | None]:
    """The expression of each `v` of the column."""
    with CONNECTION.cursor() as cursor:
        cursor.register("t", pa.table({"v": column}))
        rows = cursor.execute(f"SELECT {expression}, $path FROM t", {"path": path}).fetchall()
    return [text for text, _ in rows]


def extracted(column: pa.StringArray, key: str) -> list[str | None]:
    """What DuckDB reads of the key."""
    return answer("json_extract_string(v, $path)", column, pointer((key,)))


def as_text(column: pa.Array) -> list[str | None]:
    return answer("CAST(v AS VARCHAR)", column)


def first(*columns: Sequence[str | None]) -> list[str | None]:
    return [next((value for value in row if value is not None), None) for row in zip(*columns, strict=True)]


def is_read_by_duckdb(text: str) -> bool:
    try:
        with CONNECTION.cursor() as cursor:
            cursor.execute("SELECT json_extract_string($text, '/a')", {"text": text}).fetchall()
    except duckdb.Error:
        return False
    return True


def line_of(how: str, text: str) -> str:
    """A message that is the attributes' text, or not."""
    other = '{"a":1,"id":"x","":"y"}'
    return {"same": text, "blanks": f" {text}\r\n", "other": other, "plain": "a=1", "pushed": text}[how]


def attributes_of(how: str, text: str) -> str:
    """The text, perhaps after what a sender pushed."""
    return f'{{"pushed":"p",{text[1:]}' if how == "pushed" and len(text) > 2 else text


HOWS = ("same", "blanks", "other", "plain", "pushed")
ROWS = st.lists(st.tuples(st.sampled_from(("same", *HOWS)), OBJECTS), max_size=6)
OMIT = st.lists(st.sampled_from(POOL), unique=True, max_size=3)


@given(ROWS, ASKED, OMIT)
@example(
    [("same", '{"a":1,"id":"x"}'), ("other", '{"a":1}'), ("same", '{"a":1,"id":2}')], [("a", Kind.INTEGER)], ["id"]
)
def test_duckdb_reads_every_key_as_before(rows: list[tuple[str, str]], keys: Keys, omit: list[str]) -> None:
    rows = [row for row in rows if is_read_by_duckdb(row[1])]
    omit = [key for key in omit if key not in dict(keys)]
    values, messages = texts([attributes_of(*row) for row in rows]), texts([line_of(*row) for row in rows])
    parts = split(values, keys, omit, messages)
    for (key, _), column, in_rest in zip(keys, parts.columns, parts.in_rest, strict=True):
        kept = extracted(parts.rest, key) if in_rest else [None] * len(rows)
        assert first(as_text(column), kept) == extracted(values, key)
    for key in omit:
        told = zip(line_text(messages, [(key,)]).to_pylist(), parts.rest.to_pylist(), strict=True)
        assert first(extracted(parts.rest, key), [text if rest is None else None for text, rest in told]) == (
            extracted(values, key)
        )
    after = joined(parts, keys, omit, messages)
    assert [meaning(text) for text in after] == [meaning(text) for text in values.to_pylist()]


@given(st.lists(st.tuples(st.sampled_from(HOWS), ANY_OBJECTS), max_size=6), ASKED, OMIT)
def test_omitted_keys_come_back_whatever_the_lines(rows: list[tuple[str, str]], keys: Keys, omit: list[str]) -> None:
    omit = [key for key in omit if key not in dict(keys)]
    values = [None if how == "other" and len(text) < 10 else attributes_of(how, text) for how, text in rows]
    lines = [line_of(*row) for row in rows]
    after = joined(taken_apart(values, keys, omit, lines), keys, omit, texts(lines))
    assert [meaning(text) for text in after] == [meaning(text) for text in values]


def test_ids_are_left_out_only_where_the_line_has_them() -> None:
    keys, line = [("a", Kind.INTEGER), ("b", Kind.INTEGER)], '{"a":1,"id":"x","no":"y"}'
    pushed = '{"b":2,"no":"y","id":"x"}'
    values = [line, line, line, '{"a":1,"id":"x"}', '{"a":1}', None, '{"a":true,"id":"x","no":"y"}', pushed]
    lines = [line, f"\t{line} ", "plain", line, line, line, '{"a":true,"id":"x","no":"y"}', line]
    rest = taken_apart(values, keys, ["id", "no"], lines).rest.to_pylist()
    whole = '{"id":"x","no":"y"}'
    assert rest == [None, None, whole, '{"id":"x"}', "{}", "{}", '{"a":true,"id":"x","no":"y"}', None]


def test_a_member_of_a_line_is_read_as_text_and_as_json() -> None:
    lines = [r' {"k":"a\u0041\n"} ', '{"k":45.120}', '{"k":{"x": [1]}}', '{"k":true,"l":2}', '{"k":12}']
    nothing = ['{"k":null}', '{"k":1,"k":2}', '{"k":1} x', '{"j":1}', "k=1", r'{"k":"\ud800"}', "", None]
    messages = texts([*lines, *nothing])
    text, as_json = line_text(messages, [("k",)]), line_json(messages, [("k",)])
    none = [None] * len(nothing)
    assert text.to_pylist() == ["aA\n", "45.12", '{"x":[1]}', "true", "12", *none]
    assert as_json.to_pylist() == [r'"aA\n"', "45.12", '{"x":[1]}', "true", "12", *none]


@given(st.lists(NUMBER_TEXTS | NESTED_TEXTS, min_size=1, max_size=6))
@example(
    ["1e-07", "1E400", "-0", "1e20", "1e21", "1.5e-7", "5e-324", "1.7976931348623157e308", "2.2250738585072014e-308"]
)
@example(
    ["1.23456789012345678901", "5.9604644775390625e-8", "9007199254740993.0", "0.0000001234567890123456789", "1e-999"]
)
@example(['[0 , -0, 1e-07, "\\u00e9\\/\\u001f\\"", { "a\\n" : [ ] , "b" : true } ]'])
def test_a_value_of_a_line_is_written_as_duckdb_writes_it(values: list[str]) -> None:
    lines = texts([line for line in (f'{{"a" : {value}}}' for value in values) if is_read_by_duckdb(line)])
    found, as_json = line_text(lines, [("a",)]).to_pylist(), line_json(lines, [("a",)]).to_pylist()
    is_line = [text is not None for text in of_line(lines).to_pylist()]
    of_duckdb = zip(is_line, extracted(lines, "a"), strict=True)
    assert found == [text if is_one else None for is_one, text in of_duckdb]
    of_duckdb = zip(
        is_line, answer("CAST(nullif(json_extract(v, $path), 'null') AS VARCHAR)", lines, "/a"), strict=True
    )
    assert as_json == [text if is_one else None for is_one, text in of_duckdb]


def test_attributes_of_a_line_are_its_text() -> None:
    lines = [r' {"k":"a\u0041\n"} ', '{"k":{"x": [1]}}', '{"k":null,"":0}']
    nothing = ["{}", '{"k":1,"k":2}', '{"k":1} x', "k=1", r'{"k":"\ud800"}', '{"k":{"a":1,"a":2}}', "[1]", "", None]
    trimmed = [line.strip() for line in lines]
    assert of_line(texts([*lines, *nothing])).to_pylist() == [*trimmed, *[None] * len(nothing)]
    assert of_line(texts(["", *lines]).slice(1, 2)).to_pylist() == trimmed[:2]


PATHS = [("a",), ("a", "b"), ("a.b",), ("a", "b", "c"), ("a", "b.c"), ("a.b", "c"), ("b", "c")]
inner = st.recursive(
    st.sampled_from(["1", "null", '"x"', r'"\u00e9\n"', "[1]", "0.50"]),
    lambda some: st.lists(st.tuples(st.sampled_from(["a", "b", "c", "b.c", "x", r"\u0061"]), some), max_size=3).map(
        lambda members: "{" + ",".join(f'"{key}":{value}' for key, value in members) + "}"
    ),
    max_leaves=8,
)


@given(st.lists(inner, max_size=5), st.lists(st.sampled_from(PATHS), min_size=1, max_size=4))
@example(['{"a":{"b":{"c":1}}}', '{"a":1}', '{"a":{"b":2}}'], [("a", "b", "c"), ("a", "b")])
@example(['{"a":{"b":{"c":1,"c":2}},"b":1}', '{"a":{"b":{"c":1}}}'], [("b",), ("a", "b", "c")])
@example(['{"a":{"b":null},"a.b":3}', '{"a":{"b":{"c":null},"b.c":4}}'], [("a", "b", "c"), ("a", "b.c"), ("a.b",)])
@example(['{"a":{"b":{"x":1}},"b":{"c":5}}'], [("a", "b", "c"), ("b", "c")])
def test_the_first_path_with_a_value_counts(lines: list[str], paths: list[tuple[str, ...]]) -> None:
    found = [_first_of(line, paths) for line in lines]
    as_json = line_json(texts(lines), paths).to_pylist()
    assert [None if text is None else json.loads(text) for text in as_json] == found
    told = line_text(texts(lines), paths).to_pylist()
    assert [value if isinstance(value, str) else None for value in found] == [
        text if isinstance(value, str) else None for text, value in zip(told, found, strict=True)
    ]
    assert [text is None for text in told] == [value is None for value in found]


def _first_of(line: str, paths: list[tuple[str, ...]]) -> Any:
    """As Python's own parser reads it; a line is not read where a key comes twice, or has an escape."""
    is_plain = True

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_plain
        is_plain &= len(dict(pairs)) == len(pairs)
        return dict(pairs)

    found = json.loads(line, object_pairs_hook=members)
    if not is_plain or r'"\u0061"' in line or not isinstance(found, dict):
        return None
    for path in paths:
        value: Any = found
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def random_numbers(seed: int, count: int) -> list[str]:
    """Doubles of every magnitude, with any bits, with few decimals, and right beside powers of two and ten."""
    chance = random.Random(seed)

    def number() -> float:
        match chance.randrange(4):
            case 0:
                bits = chance.randrange(1023 - 15, 1023 + 51) << 52 | chance.getrandbits(52)
            case 1:
                bits = (chance.randrange(1023 - 14, 1023 + 51) << 52) + chance.randrange(-2, 3)
            case 2:
                (bits,) = struct.unpack("<Q", struct.pack("<d", 10.0 ** chance.randrange(-4, 16)))
                bits += chance.randrange(-2, 3)
            case _:
                return round(chance.random() * 10.0 ** chance.randrange(15), chance.randrange(12))
        return float(struct.unpack("<d", struct.pack("<Q", bits))[0])

    signs = ("", "", "-")
    return [
        chance.choice(signs) + (repr(n) if chance.random() < 0.7 else f"{n:.{chance.randrange(1, 19)}e}")
        for n in (number() for _ in range(count))
    ]


@pytest.mark.parametrize("seed", range(3))
def test_numbers_print_like_duckdb_and_python(seed: int) -> None:
    numbers = random_numbers(seed, 30_000)
    values = texts([f'{{"a":{number}}}' for number in numbers])
    keys = [("a", Kind.NUMBER)]
    parts = split(values, keys, (), no_lines(len(values)))
    expected = [fitting(number, Kind.NUMBER) for number in numbers]
    assert sum(value is not None for value in expected) > 20_000
    assert list(map(repr, parts.columns[0].to_pylist())) == list(map(repr, expected))
    assert as_text(parts.columns[0]) == [None if value is None else repr(value) for value in expected]
    assert first(as_text(parts.columns[0]), extracted(parts.rest, "a")) == extracted(values, "a")
    after = joined(parts, keys, (), no_lines(len(values)))
    assert after == [f'{{"a":{n if v is None else repr(v)}}}' for n, v in zip(numbers, expected, strict=True)]


@pytest.mark.parametrize(("start", "length"), [(0, 100), (3, 17), (8, 8), (13, 0), (99, 1), (7, 93)])
def test_a_slice_is_taken_apart_like_the_whole(start: int, length: int) -> None:
    rows = [f'{{"b":{json.dumps(i % 2 > 0)},"i":{i},"n":{i}.5,"t":"{i}","id":"{i}","x":[{i}]}}' for i in range(100)]
    values = [None if i % 7 == 3 else row.replace(',"x"', f',"x{i % 3}"') for i, row in enumerate(rows)]
    lines = [row if i % 2 else "plain" for i, row in enumerate(rows)]
    keys, omit = [("b", Kind.BOOLEAN), ("i", Kind.INTEGER), ("n", Kind.NUMBER), ("t", Kind.TEXT)], ["id"]
    whole = taken_apart(values, keys, omit, lines)
    messages = texts(lines).slice(start, length)
    part = split(texts(values).slice(start, length), keys, omit, messages)
    assert part.rest == whole.rest.slice(start, length)
    assert list(part.columns) == [column.slice(start, length) for column in whole.columns]
    sliced = [(key, column.slice(start, length)) for (key, _), column in zip(keys, whole.columns, strict=True)]
    after = join(whole.rest.slice(start, length), sliced, omit, messages)
    assert list(map(meaning, after.to_pylist())) == list(map(meaning, values[start : start + length]))
    assert line_text(messages, [("i",)]) == line_text(texts(lines), [("i",)]).slice(start, length)


def test_thousands_of_keys_are_taken_apart() -> None:
    rows = [
        object_text([(json.dumps(f"k{i}"), f"{i}") for i in range(first, first + 3000)]) for first in (0, 1500, 3000)
    ]
    keys = [(f"k{i}", Kind.INTEGER) for i in range(0, 6000, 3)]
    parts = taken_apart(rows, keys)
    assert [len(json.loads(rest)) for rest in parts.rest.to_pylist()] == [2000] * 3
    assert sum(len(column) - column.null_count for column in parts.columns) == 3000
    assert list(map(meaning, joined(parts, keys, (), no_lines(3)))) == list(map(meaning, rows))


def test_what_is_no_object_stays_as_it_is() -> None:
    values = ["[1]", "x", '{"a":1', '{"a":1} x', '{"a":' + "[" * 200 + "]" * 200 + "}", '{"a":01}']
    parts = taken_apart(values, [("a", Kind.INTEGER)])
    assert parts.rest.to_pylist() == values
    assert parts.in_rest == (True,)
    assert joined(parts, [("a", Kind.INTEGER)], (), no_lines(len(values))) == values


def surveyed(rows: list[str | None], at_most: int) -> list[KeyFacts]:
    return survey(texts(rows), at_most, no_lines(len(rows)))


def test_empty_attributes_are_the_message() -> None:
    lines = [f'{{"id":"{i:032x}","n":{i},"user":"u{i % 9}"}}' for i in range(300)]
    told = [line if i % 2 else "" for i, line in enumerate(lines)]
    assert survey(texts(told), 9, texts(lines)) == survey(texts(lines), 9, texts(lines))
    keys = [("n", Kind.INTEGER), ("user", Kind.TEXT)]
    for omitted in ([], ["id"]):
        parts = split(texts(told), keys, omitted, texts(lines))
        assert parts == split(texts(lines), keys, omitted, texts(lines))
        assert (parts.rest.null_count == 300) == bool(omitted)
    assert split(texts([""]), [], [], texts(["no object"])).rest.to_pylist() == ["no object"]


def test_nothing_is_taken_apart_to_nothing() -> None:
    keys = [(kind.value, kind) for kind in Kind]
    parts = taken_apart([], keys)
    assert [len(column) for column in parts.columns] == [0] * 4
    assert joined(parts, keys, ("id",), no_lines(0)) == []
    assert joined(taken_apart([None, "{}", " { } "], []), [], (), no_lines(3)) == [None] * 3
    assert surveyed([], 10) == []
    assert line_text(texts([]), [("a",)]).to_pylist() == line_json(texts([]), [("a",)]).to_pylist() == []


def test_a_key_is_named_once_and_columns_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="named twice"):
        taken_apart(["{}"], [("a", Kind.TEXT)], ["a"])
    with pytest.raises(ValueError, match="different lengths"):
        join(texts([None]), [("a", texts([]))], (), no_lines(1))


def test_a_survey_counts_what_fits_and_tells_ids() -> None:
    rows = [
        f'{{"id":"{i:032x}","short":"{i:04x}","user":"user-number-{i % 50}","n":{i}{".5" * (i % 4 == 0)}}}'
        for i in range(1000)
    ]
    extra = [None, "no object", '{"n":1,"n":2}', '{"user":null,"rare":[1]}']
    facts = {fact.key: fact for fact in surveyed(rows + extra, 10)}
    assert {key: fact.rows for key, fact in facts.items()} == {
        "id": 1000,
        "short": 1000,
        "user": 1000,
        "n": 1001,
        "rare": 1,
    }
    assert facts["n"].kinds == {Kind.BOOLEAN: 0, Kind.INTEGER: 751, Kind.NUMBER: 250, Kind.TEXT: 0}
    assert not any(facts["rare"].kinds.values())
    assert [key for key, fact in facts.items() if fact.is_near_unique] == ["id"]


def test_a_survey_looks_into_objects() -> None:
    rows = [
        f'{{"user":{{"id":{i},"address":{{"city":"c{i % 9}","at":{{"x":{{"y":1}}}}}}}},"tags":[{{"a":1}}]}}'
        for i in range(50)
    ]
    facts = {fact.path: fact for fact in surveyed(rows, 20)}
    inside = {("user", "id"), ("user", "address"), ("user", "address", "city"), ("user", "address", "at")}
    assert set(facts) == {("user",), ("tags",), *inside, ("user", "address", "at", "x")}, "down to the fourth key"
    assert {path for path, fact in facts.items() if fact.composite == fact.rows == 50} == set(facts) - {
        ("user", "id"),
        ("user", "address", "city"),
    }
    assert facts["user", "id"].kinds[Kind.INTEGER] == 50
    assert facts["user", "address", "city"].kinds[Kind.TEXT] == 50


def test_a_survey_of_many_rows_is_a_sample_of_all_of_them() -> None:
    rows = ['{"early":1}'] * 100_000 + ['{"late":1.5,"both":true}'] * 100_000
    early, late = sorted(surveyed(rows, 10), key=lambda fact: fact.key)[1:]
    assert abs(early.rows - 100_000) < 100
    assert abs(late.rows - 100_000) < 100
    assert [fact.key for fact in surveyed(rows, 2)] == ["both", "early"]


def test_a_flood_of_keys_does_not_hide_the_frequent_ones() -> None:
    flood = [object_text([(f'"k{row}-{i}"', "1") for i in range(2000)]) for row in range(20)]
    usual = ['{"user":"x","ms":1}'] * 200
    assert [fact.key for fact in surveyed([*flood, *usual, *flood[::-1]], 2)] == ["ms", "user"]
    assert len(surveyed(flood, 100_000)) <= 4096


def test_a_survey_of_long_rows_ends_early_and_speaks_for_all() -> None:
    rows = [f'{{"t":"{"x" * 2**20}","{"even" if i % 2 else "odd"}":1}}' for i in range(100)]
    facts = {fact.key: fact.rows for fact in surveyed(rows, 10)}
    assert facts["t"] == 100
    assert abs(facts["even"] - 50) <= 20


def test_a_key_that_has_a_column_in_some_rows_and_is_omitted_in_others_comes_back_once() -> None:
    """As in a merge of a segment where it has a column and one where it is omitted."""
    messages = ['{"id":"a","n":1}', '{"id":"b","n":2}', '{"id":"c","n":3}']
    rest = pa.array([None, None, '{"x":null}'], pa.string())
    columns = [("id", pa.array(["a", None, None], pa.string())), ("n", pa.array([1, 2, 3], pa.int64()))]
    joined = join(rest, columns, ["id"], pa.array(messages, pa.string()))
    assert [json.loads(text) for text in joined.to_pylist()] == [
        {"id": "a", "n": 1},
        {"id": "b", "n": 2},
        {"x": None, "n": 3},
    ]
    assert all(text.count('"id"') <= 1 for text in joined.to_pylist())


def test_one_object_of_very_many_members_changes_nothing_about_others() -> None:
    """Nor does each of them, of more than a few members, take the time of that one: this would take minutes."""
    few = {f"key{at}": at for at in range(18)}
    lines = [json.dumps(few, separators=(",", ":"))] * 50_000
    huge = json.dumps({f"key{at}": at for at in range(300_000)}, separators=(",", ":"))
    found = of_line(texts([huge, *lines]))
    assert found.slice(1).to_pylist() == lines
    assert json.loads(found[0].as_py())["key299999"] == 299_999


def test_codes_may_be_a_part_of_an_array() -> None:
    codes = pa.array([0, 1, 1], pa.int32()).slice(1)
    assert prepend(texts(['"a":1', '"b":2']), codes, texts(["{}", '{"c":3}'])).to_pylist() == [
        '{"b":2}',
        '{"b":2,"c":3}',
    ]
