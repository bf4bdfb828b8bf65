"""Columns of values inside of objects, against Python's own reading of the same JSON."""

import json
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logstore.attributes import Kind, Path
from logstore.nested import copies

KEYS = ("a", "b", "a.b", "ü")
PATHS: tuple[Path, ...] = (("a", "b"), ("a", "a"), ("a", "b", "a"), ("b", "ü"), ("ü", "a.b"), ("a", "a", "b", "a"))
scalars = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 1.25]) | st.sampled_from(["", "x", "ü"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner), max_leaves=9
)
objects = st.dictionaries(st.sampled_from(KEYS), values)


def texts(rows: list[str | None]) -> pa.StringArray:
    return pa.array(rows, pa.string())


def kind_of(value: object) -> Kind | None:
    kinds = {bool: Kind.BOOLEAN, int: Kind.INTEGER, float: Kind.NUMBER, str: Kind.TEXT}
    return kinds.get(type(value))


def at(value: Any, path: Path) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def on_the_way(value: Any, path: Path) -> list[dict[str, Any]]:
    found = [at(value, path[:count]) for count in range(len(path))]
    return [one for one in found if isinstance(one, dict)]


@given(st.lists(st.none() | objects), st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(list(Kind)))))
def test_a_column_has_what_fits_and_says_whether_that_is_all(
    rows: list[dict[str, Any] | None], asked: list[tuple[Path, Kind]]
) -> None:
    asked = list(dict(asked).items())
    told = [None if row is None else json.dumps(row, ensure_ascii=bool(i % 2)) for i, row in enumerate(rows)]
    found = copies(texts(told), asked, texts([None] * len(rows)))
    assert len(found) == len(asked)
    for (path, kind), copy in zip(asked, found, strict=True):
        there = [at(row, path) for row in rows]
        fitting = [value if kind_of(value) is kind else None for value in there]
        assert copy.column.to_pylist() == fitting
        assert copy.is_all == all(kind_of(value) is kind or value is None for value in there)
        assert copy.has_dots == any("." in key for row in rows if row for one in on_the_way(row, path) for key in one)


def test_a_row_that_cannot_be_read_leaves_everything_open() -> None:
    asked: list[tuple[Path, Kind]] = [(("a", "b"), Kind.INTEGER), (("c", "b"), Kind.INTEGER)]
    for unread in ("no object", "[1]", '{"a":{"b":1},"a":{"b":2}}', '{"a":'):
        first, second = copies(texts(['{"a":{"b":1}}', unread]), asked, texts([None, None]))
        assert first.column.to_pylist() == [1, None]
        assert [first.is_all, second.is_all, first.has_dots, second.has_dots] == [False, False, True, True]
    first, second = copies(texts(['{"a":{"b":1,"b":2},"c":{"b":3}}']), asked, texts([None]))
    assert [first.is_all, second.is_all, first.has_dots, second.has_dots] == [False, True, True, False]
    assert second.column.to_pylist() == [3]


def test_attributes_that_are_the_message_are_read_there() -> None:
    lines = texts(['{"a":{"b":1}}', '{"a":{"b":2}}', '{"a":{"b":3}}'])
    (found,) = copies(texts(["", '{"x":1,', '{"a":{}}']), [(("a", "b"), Kind.INTEGER)], lines)
    assert found.column.to_pylist() == [1, 2, None]
    assert copies(lines, [], lines) == []
