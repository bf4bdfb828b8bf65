"""JSON objects one after the other, whatever stands between them."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.json_objects import Unread, objects

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.text(), VALUES | st.dictionaries(st.text(), VALUES, max_size=3), max_size=4)


def found(body: bytes | str) -> list[Any]:
    return [value for value, _ in objects(body.encode() if isinstance(body, str) else body)]


@given(st.lists(OBJECTS, max_size=6), st.sampled_from(["", " ", "\n", "\r\n\r\n", ",", " ,\n"]), st.booleans())
def test_objects_come_back_whatever_stands_between_them(given_objects: list[Any], between: str, in_array: bool) -> None:
    text = between.join(json.dumps(value, ensure_ascii=False) for value in given_objects)
    assert found(f" [{text}] " if in_array else text) == given_objects


@given(st.lists(OBJECTS, min_size=1, max_size=6))
def test_the_text_of_an_object_is_what_was_sent(given_objects: list[Any]) -> None:
    texts = [json.dumps(value).encode() for value in given_objects]
    assert [text for _, text in objects(b"".join(texts))] == texts


def test_braces_in_strings_end_nothing() -> None:
    assert found('{"a":"}{"}{"b":"x} {y"}\n{"c":"}{"}') == [{"a": "}{"}, {"b": "x} {y"}, {"c": "}{"}]


@pytest.mark.parametrize("poison", ['{"a":bad}', "nonsense", '{"a":"never ends', "[1]", "7", '{"a":', "\x00\x01"])
def test_what_is_no_object_stands_alone_between_good_ones(poison: str) -> None:
    one, bad, two = objects(f'{{"a":1}}\n{poison}\n{{"b":2}}'.encode())
    assert (one[0], two[0]) == ({"a": 1}, {"b": 2})
    assert isinstance(bad[0], Unread)
    assert bad[1] == poison.encode()


@pytest.mark.parametrize("levels", [129, 5_000, 200_000])
def test_deep_nesting_is_no_object(levels: int) -> None:
    deep, good = found('{"a":' + "[" * levels + "]" * levels + '}\n{"b":2}')
    assert isinstance(deep, Unread)
    assert good == {"b": 2}


def test_bytes_that_are_not_utf8_are_kept() -> None:
    [(value, text)] = objects(b'{"a":"x\xffy"}')
    assert value == {"a": "x\udcffy"}
    assert text == b'{"a":"x\xffy"}'


@pytest.mark.parametrize("unit", [b'{"a":1,"b}{c":', b'{"', b"}{", b'{"a":"}{', b"{[}", b'{}{"x', b"}\n{", b'{"":"\\'])
def test_no_body_takes_long(unit: bytes) -> None:
    began_s = time.process_time()
    for _ in objects(unit * (1_000_000 // len(unit))):
        pass
    assert time.process_time() - began_s < 30


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(list('{}[]",:\\ \na1')), max_size=60).map(lambda c: "".join(c).encode())
)
def test_no_body_breaks_it(body: bytes) -> None:
    for value, text in objects(body):
        assert isinstance(value, dict | Unread)
        assert text in body
