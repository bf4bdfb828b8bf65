"""Token filters against a plain reading: what is in a group is never missed, what is not is seldom taken for it."""

import ctypes
import itertools
import json
import mmap
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from logstore import tokens
from logstore.tokens import LARGE, NESTED, Filters, Ints, may_hold
from tests.numerals import is_json, numerals, rows_of_numbers
from tests.reference import templates as reference
from tests.reference.tokens import addresses, digits, likely_digits

ALPHABET = 'abK_1 0-.é\u0301٣中\U0001d7d9ßÅ\u212a\u0130\u0131\n"\\/😀\x7f'
FALSE_POSITIVES_MAX = 0.0005
SECRET = bytes(16)

texts = st.one_of(st.text(ALPHABET, max_size=20), rows_of_numbers())
scalars = st.one_of(texts, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
objects = st.dictionaries(texts, values, max_size=3)


def words(text: str) -> list[str]:
    return [run for run in reference.words(text) if reference.is_word_character(run[0])]


def strings(value: Any) -> Iterator[str]:
    """The keys and scalar values of a JSON value, as texts."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def held_words(message: str, attributes: str | None, others: list[str | None]) -> set[str]:
    said = list(strings(json.loads(attributes))) if attributes else []
    said += [other for other in others if other]
    numbers = {word for text in said for word in likely_digits(text) | addresses(text)}
    return numbers | addresses(message) | {word for text in [message, *said] for word in words(text)}


def lower(word: str) -> str:
    """Each character's simple lower case, by which a search that ignores case compares."""
    return "".join(character.lower()[0] for character in word)


def column(rows: list[Any], offset: int = 0, after: int = 0) -> pa.StringArray:
    return pa.array([None, "skipped1"][:offset] + rows + ["after1"] * after, pa.string()).slice(offset, len(rows))


def build(
    messages: pa.StringArray, attributes: pa.StringArray, others: Sequence[pa.StringArray], ends: Ints
) -> Filters:
    return tokens.build(messages, attributes, others, ends, SECRET)[0]


def one_group(message: str, attributes: str | None = None) -> Filters:
    return build(column([message]), column([attributes]), [], np.array([1]))


def holds(filters: Filters, *asked: str) -> bool:
    return may_hold(filters.content, filters.offsets, asked).tolist() == [True]


rows_of_columns = st.lists(
    st.tuples(texts, st.none() | objects, st.none() | texts, st.booleans(), st.booleans()), max_size=8
)


@given(rows_of_columns, st.lists(st.integers(0, 8), max_size=4), st.integers(0, 2), st.integers(0, 1))
@example([], [], 0, 0)
@example([], [0, 0], 1, 1)
@example([("", None, None, False, False)], [1], 0, 0)
@example([("", {"": []}, None, False, False)], [], 0, 0)
def test_every_word_is_held_by_its_group(
    rows: list[tuple[str, dict[str, Any] | None, str | None, bool, bool]], ends: list[int], offset: int, after: int
) -> None:
    attributes = [None if row[1] is None else json.dumps(row[1], ensure_ascii=row[3]) for row in rows]
    messages = [text if row[4] and text is not None else row[0] for row, text in zip(rows, attributes, strict=True)]
    others = [row[2] for row in rows]
    all_ends = [*sorted(end for end in ends if end <= len(rows)), len(rows)]
    columns = [column(part, offset, after) for part in (messages, attributes, others)]
    filters = build(columns[0], columns[1], columns[2:], np.array(all_ends))
    assert len(filters.offsets) == len(all_ends) + 1
    assert filters.offsets[0] == 0
    assert filters.offsets[-1] == len(filters.content)
    begin = 0
    for group, end in enumerate(all_ends):
        held: set[str] = set()
        for row in range(begin, end):
            held |= held_words(messages[row], attributes[row], others[row : row + 1])
        for word in held:
            for form in (word, lower(word), word.upper()):
                if lower(form) == lower(word):
                    assert may_hold(filters.content, filters.offsets, [form])[group], form
        assert may_hold(filters.content, filters.offsets, sorted(held))[group]
        has_nested = any(may_nest(text) for text in attributes[begin:end] if text)
        assert (bool(held) or has_nested) == bool(filters.offsets[group + 1] > filters.offsets[group])
        begin = end


def assert_alike(one: Filters, other: Filters) -> None:
    assert one.offsets.tolist() == other.offsets.tolist()
    assert one.content == other.content


rows_of_objects = st.lists(
    st.tuples(objects, st.booleans())
    | st.tuples(
        st.fixed_dictionaries({"user": st.sampled_from(["a1", "b2é", "c\n3", "\u0101x", "d 4"])}), st.booleans()
    ),
    max_size=12,
)


@given(rows_of_objects, st.lists(st.integers(0, 12), max_size=3))
def test_of_messages_that_are_their_attributes_the_same_words_are_held(
    rows: list[tuple[dict[str, Any], bool]], ends: list[int]
) -> None:
    messages = [json.dumps(row, ensure_ascii=is_ascii) for row, is_ascii in rows]
    all_ends = np.array([*sorted(end for end in ends if end <= len(rows)), len(rows)])
    told = build(column(messages), column([""] * len(rows)), [], all_ends)
    assert_alike(told, build(column(messages), column(list(messages)), [], all_ends))


PUSHED = st.sampled_from(['{"x":"y1"', '{"_p":"F","n":1', '{"at":{"k":[2]}', r'{"a":"b\n3"', '{"a":"caf\u00e9 4"'])


@given(rows_of_objects.flatmap(lambda rows: st.tuples(*(st.tuples(st.just(row), PUSHED) for row in rows if row[0]))))
def test_of_messages_that_go_on_with_pushed_attributes_the_same_words_are_held(
    rows: tuple[tuple[tuple[dict[str, Any], bool], str], ...],
) -> None:
    messages = [json.dumps(row, ensure_ascii=is_ascii) for (row, is_ascii), _ in rows]
    pushed = [text for _, text in rows]
    ends = np.array([len(rows) // 2, len(rows)])
    told = build(column(messages), column([f"{text}," for text in pushed]), [], ends)
    together = [f"{text},{message[1:]}" for text, message in zip(pushed, messages, strict=True)]
    assert_alike(told, build(column(messages), column(together), [], ends))


def test_where_message_and_attributes_are_empty_no_word_is_held() -> None:
    filters = build(column(["", "a1"]), column(["", None]), [], np.array([1, 2]))
    assert may_hold(filters.content, filters.offsets, ["a1"]).tolist() == [False, True]


def may_nest(attributes: str) -> bool:
    return "{" in attributes[1:] or "[" in attributes[1:]


@given(objects)
def test_a_group_with_an_object_or_a_list_in_its_attributes_says_so(attributes: dict[str, Any]) -> None:
    text = json.dumps(attributes)
    filters = one_group("", text)
    assert may_hold(filters.content, filters.offsets, [NESTED])[0] >= may_nest(text)
    assert not may_hold(*parts(one_group("{[", '{"a":"b"}')), [NESTED])[0]


def parts(filters: Filters) -> tuple[bytes, Ints]:
    return filters.content, filters.offsets


@given(texts, objects, st.booleans())
def test_no_more_is_held_than_the_words(message: str, attributes: dict[str, Any], is_ascii: bool) -> None:
    """The filter of what a plain reading finds, each word for itself, is the same to the bit."""
    text = json.dumps(attributes, ensure_ascii=is_ascii)
    found = sorted(held_words(message, text, []))
    assume(not may_nest(text) and LARGE not in found)
    plain = build(column([""]), column([None]), [column([" ".join(["", *found])])], np.array([1]))
    assert one_group(message, text).content == plain.content


ALIKE_VALUES = st.sampled_from(
    [
        "",
        "a1",
        "a12",
        "a,1",
        'q"b2',
        "c\\d",
        "n\n3",
        "\U0001d7d9x",
        "café",
        "07",
        "-7e1",
        "71e0",
        7,
        71,
        7.5,
        True,
        None,
    ]
)
ALIKE_KEYS = ("k", "k,1", 'k"2', "long_key")
alike_rows = st.lists(
    st.tuples(st.lists(ALIKE_VALUES, min_size=2, max_size=4), st.sampled_from([" ", ""]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(alike_rows)
@example([([1, "a1"], "", True, False), ([12, "a1"], "", True, False), ([1, "a1", "b"], "", True, False)])
def test_of_attributes_that_are_alike_all_words_are_held_and_no_more(
    rows: list[tuple[list[Any], str, bool, bool]],
) -> None:
    texts = []
    for chosen, blank, is_ascii, is_open in rows:
        separators = (f",{blank}", f":{blank}")
        text = json.dumps(dict(zip(ALIKE_KEYS, chosen, strict=False)), ensure_ascii=is_ascii, separators=separators)
        texts.append(text[:-1] + "," if is_open else text)
    wholes = [f'{text}"m":1}}' if text.endswith(",") else text for text in texts]
    messages = ['{"m":1}' if text.endswith(",") else "-" for text in texts]
    found = sorted({word for one in zip(messages, wholes, strict=True) for word in held_words(*one, [])})
    plain = build(column([""]), column([None]), [column([" ".join(["", *found])])], np.array([1]))
    assert build(column(messages), column(texts), [], np.array([len(rows)])).content == plain.content


@given(st.lists(st.sampled_from(["1", "[1]", '{"b":1}', '"[1]"']), min_size=1, max_size=6), st.integers(0, 6))
def test_of_attributes_that_are_alike_a_group_says_whether_one_may_be_an_object_or_a_list(
    values: list[str], cut: int
) -> None:
    ends = np.array([min(cut, len(values)), len(values)])
    objects = [f'{{"x":"y","a":{value},"z":2}}' for value in values]
    filters = build(column(["-"] * len(values)), column(objects), [], ends)
    nested = [any(may_nest(text) for text in some) for some in (objects[: ends[0]], objects[ends[0] :])]
    is_told = may_hold(filters.content, filters.offsets, [NESTED])
    assert all(told >= is_nested for told, is_nested in zip(is_told, nested, strict=True))


@pytest.mark.parametrize(
    ("attributes", "asked"),
    [
        ('{"a":"x\\nuser"}', ["a", "x", "user"]),
        ('{"a":"say \\"yes\\""}', ["say", "yes"]),
        ('{"a":"\\\\n\\/b"}', ["n", "b"]),
        ('{"a":"caf\\u00e9"}', ["café"]),
        ('{"a":"\\ud835\\udfd9x"}', ["\U0001d7d9x"]),
        ('{"a":"x\\ud83d\\ude00y"}', ["x", "y"]),
        ('{"a":"x\\ud83dy\\ude00z\\ud83d\\u0041"}', ["x", "y", "z", "A"]),
        ('{"\\u006bey":[true,false,null,1.5,-7,1e9]}', ["key", "true", "false", "null", "1", "5", "7", "1e9"]),
    ],
)
def test_escapes_stand_for_their_characters(attributes: str, asked: list[str]) -> None:
    filters = one_group("", attributes)
    assert holds(filters, *asked)
    assert not any(holds(filters, word) for word in ("nuser", "u00e9", "cafu00e9", "xyz", "absent"))


VALUE_FORMS = st.sampled_from(["{}", "[1,{}]", '{{"b":{},"c":"d"}}', " {} "])


@given(st.lists(st.tuples(numerals(), VALUE_FORMS), min_size=1, max_size=4), st.booleans(), st.booleans())
@example([("4710.99999999999999999", "{}")], True, False)
@example([("0" * 80 + "4711e0", "{}")], True, False)
def test_numbers_are_held_by_their_digits_however_they_are_written(
    values: list[tuple[str, str]], is_message: bool, has_blanks: bool
) -> None:
    blank = " " if has_blanks else ""
    written = [(form, number if is_json(number) else f'"{number}"') for number, form in values]
    rows = [f'{{"a":{blank}{form.format(number)}{blank},"z":"y"}}' for form, number in written]
    filters = build(column(rows if is_message else ["-"] * len(rows)), column(rows), [], np.array([len(rows)]))
    others = build(column(["-"]), column([None]), [column([values[0][0]])], np.array([1]))
    assert all(holds(filters, word) for number, _ in values for word in digits(number))
    assert all(holds(others, word) for word in digits(values[0][0]))


@pytest.mark.parametrize(
    ("attributes", "digits"),
    [
        ('{"a":4.711e3}', "4711"),
        ('{"a":[0.4711E+4]}', "4711"),
        ('{"a":{"b":-47110e-1}}', "4711"),
        ('{"a":"04711"}', "4711"),
        ('{"a":"-0004711.0"}', "4711"),
        (r'{"a":"\u0030\u0034711"}', "4711"),
        ('{"a":4710.9999999999999999}', "4711"),
        ('{"a":1e14}', "100000000000000"),
        ('{"a":"0012345678901234567890"}', "12345678901234567890"),
        ('{"a":1e15}', LARGE),
        ('{"a":1e999}', LARGE),
        ('{"a":999999999999999.99}', LARGE),
        ('{"a":12345678901234567.5}', LARGE),
    ],
)
def test_spellings_of_numbers(attributes: str, digits: str) -> None:
    assert holds(one_group("", attributes), digits)
    assert not holds(one_group("", '{"a":471.1,"b":4710.9,"c":12.5e-1,"d":"x04711","e":"0471 1","f":"1e3x"}'), digits)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("from 10.0.0.7:80", ["10.0.0.7"]),
        ("10.0.0.7", ["10.0.0.7"]),
        ("ip-10-0-0-7.internal", ["10-0-0-7"]),
        ("1.2.3.4.5", ["1.2.3.4", "2.3.4.5"]),
        ("255.255.255.255é 1.2.3.4", ["1.2.3.4"]),
        (r"\u0031.2.3.4", ["1.2.3.4"]),
        ("x1.2.3.4 1.2.3.4x 1.2.3.1000 1..2.3.4 1.2-3.4 1.2.3 4 1 2 3 4 1.a.2.3 1.2.3.4²", []),
    ],
)
@pytest.mark.parametrize("where", ["message", "attribute", "both", "pushed"])
def test_four_numbers_in_a_row_are_held_as_one(text: str, held: list[str], where: str) -> None:
    value = f'"a":"{text}"'
    message, attributes = {
        "message": (text.replace(r"\u0031", "1"), None),
        "attribute": ("-", f"{{{value}}}"),
        "both": (f"{{{value}}}", ""),
        "pushed": ('{"b":"c"}', f"{{{value},"),
    }[where]
    filters = one_group(message, attributes)
    asked = ["10.0.0.7", "10-0-0-7", "1.2.3.4", "2.3.4.5", "255.255.255.255", "1.2.3.1", "2.3.4.1"]
    assert [address for address in asked if holds(filters, address)] == held


def test_case_is_ignored() -> None:
    filters = one_group("", '{"KELVIN":"1\u212a2 \u0130st \u00c4rger"}')
    assert all(holds(filters, word) for word in ("kelvin", "Kelvin", "1k2", "1K2", "1\u212a2", "ist", "IST", "ärger"))
    assert not any(holds(filters, word) for word in ("kelvi", "1i2", "12", "arger", "_rger"))


def test_of_a_message_all_words_are_held() -> None:
    filters = one_group("user alice9 from 10.0.0.7 ٣ é1")
    assert holds(filters, "user", "alice9", "from", "10", "0", "7", "٣", "é1")
    assert not any(holds(filters, word) for word in ("use", "alice", "9", "alice9 from"))


def test_all_words_must_be_held_together() -> None:
    filters = build(column(["a1", "b2", "a1 b2", "-"]), column([None] * 4), [], np.array([1, 2, 3, 4]))
    assert may_hold(filters.content, filters.offsets, ["a1"]).tolist() == [True, False, True, False]
    assert may_hold(filters.content, filters.offsets, ["a1", "b2"]).tolist() == [False, False, True, False]
    assert may_hold(filters.content, filters.offsets, []).tolist() == [True] * 4


def test_groups_of_any_size_side_by_side() -> None:
    counts = [5000, 1, 0, 700, 20_000, 3, 9000]
    made = [[f"g{group}w{number}" for number in range(count)] for group, count in enumerate(counts)]
    rows = [" ".join(group) for group in made]
    filters = build(column(rows), column([None] * len(rows)), [], np.arange(1, len(rows) + 1))
    alone = [one_group(row).content for row in rows]
    assert [filters.content[a:b] for a, b in itertools.pairwise(filters.offsets)] == alone
    for group, held in enumerate(made):
        assert may_hold(filters.content, filters.offsets, held)[group]
        assert all(may_hold(filters.content, filters.offsets, [word])[group] for word in held[::50])


def test_huge_lines_and_words() -> None:
    word = "x1" * 100_000
    filters = one_group(f"{word} {word}é", json.dumps({"k" * 70_000: "é" * 70_000 + "\n"}))
    assert holds(filters, word, f"{word}é", "k" * 70_000, "é" * 70_000)
    assert not holds(filters, word[:-1])


@pytest.mark.parametrize("count", [10, 300, 3000])
def test_few_words_are_taken_for_held(count: int) -> None:
    source = random.Random(count)
    groups = 100
    rows = [" ".join(f"{source.getrandbits(64):016x}1" for _ in range(count)) for _ in range(groups)]
    filters = build(column(rows), column([None] * groups), [], np.arange(1, groups + 1))
    asked = [f"{source.getrandbits(128):032x}" for _ in range(1500)]
    asked += [str(source.randrange(10**8)) for _ in range(1500)]
    taken = [may_hold(filters.content, filters.offsets, [word]).mean() for word in asked]
    assert np.mean(taken) <= FALSE_POSITIVES_MAX
    assert len(filters.content) * 8 <= (count * 16 + 1_024) * groups


def test_filters_are_read_from_a_memory_map_at_any_address(tmp_path: Path) -> None:
    filters = build(column(["a1 b2", "c3"]), column([None] * 2), [], np.array([1, 2]))
    file = tmp_path / "filters"
    file.write_bytes(b"xyz" + filters.content)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        whole = memoryview(mapped)
        view = whole[3:]
        address = np.frombuffer(view, np.uint8).ctypes.data
        for content in (view, address):
            assert may_hold(content, filters.offsets, ["a1"]).tolist() == [True, False]
        assert may_hold(mapped, filters.offsets + 3, ["c3"]).tolist() == [False, True]
        view.release()
        whole.release()


def test_what_is_no_filter_may_hold_anything_and_is_not_read_past_its_end() -> None:
    assert may_hold(b"\0" * 40, np.array([0, 32, 39, 32]), ["a1"]).tolist() == [False, True, True]
    with pytest.raises(ValueError, match="byte 64 of 32"):
        may_hold(b"\0" * 32, np.array([0, 64]), ["a1"])


def test_groups_must_fit_the_columns() -> None:
    for messages, ends in ((["a"], [2]), (["a"], [1, 0]), (["a", "b"], [1, 2])):
        with pytest.raises(ValueError, match="groups that end at"):
            build(column(messages), column([None]), [], np.array(ends))


KNOWN_TEXT = "user1 Zürich7 0123456789abcdef0123456789abcdef"


def test_a_filter_never_changes() -> None:
    assert one_group(KNOWN_TEXT).content.hex() == KNOWN_FILTER


KNOWN_FILTER = "0000000001000200000000fa0000000000ff160000c00000400a"
"""What segments hold."""


@pytest.mark.parametrize("known", ["KNOWN_FILTER", "KNOWN_BLOOM_FILTER"])
def test_filters_of_either_kind_are_asked(known: str) -> None:
    content = bytes.fromhex(globals()[known])
    ends = np.array([0, len(content)])
    assert all(may_hold(content, ends, [word]).all() for word in KNOWN_TEXT.split())
    others = [f"{number}x" for number in range(1_000)]
    assert sum(may_hold(content, ends, [word]).item() for word in others) <= 5


KNOWN_BLOOM_FILTER = "8040200000210400600000081000004041000200020000882001040004002400"
"""What segments hold that were written before there were fuse filters."""


@given(st.binary(max_size=200), st.integers(0, 255), st.integers(0, 7))
def test_a_damaged_filter_is_not_read_past_its_end(tail: bytes, byte: int, at: int) -> None:
    """It lies before memory that cannot be read: the process would die."""
    whole = bytearray(one_group(KNOWN_TEXT).content + tail)
    whole[at] = byte
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + page), page, 0) == 0
    memory[page - len(whole) : page] = bytes(whole)
    for size in range(len(whole)):
        assert may_hold(address + page - size, np.array([0, size]), ["user1"]).dtype == np.bool_
    assert len(may_hold(address + page - len(whole), np.array([0, len(whole)]), ["user1", "other2"])) == 1


@pytest.mark.parametrize("count", [300_000, 600_000])
def test_groups_of_very_many_words_have_one(count: int) -> None:
    words = [f"w{number}" for number in range(count)]
    filters = one_group(" ".join(words))
    assert holds(filters, *words)
    assert sum(holds(filters, f"v{number}") for number in range(2_000)) <= 20
    assert len(filters.content) * 8 <= count * 16
