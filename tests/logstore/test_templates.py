"""Templates against their plain reading."""

import itertools
from collections import Counter
from functools import reduce
from operator import or_

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstore import templates, tokens
from logstore.templates import TEMPLATE_BYTES, TEMPLATE_MAX_BYTES, UNASSIGNED, WILDCARD, Found, Room
from tests.reference.templates import fuller, letters, template

SECRET = bytes(range(16))
ALPHABET = "ab_1 0-.é\u0301٣中\U0001d7d9ßÅ\u0085😀\x1b\x7f\x00/:@[`{"
messages = st.one_of(
    st.text(ALPHABET, max_size=12),
    st.text(ALPHABET, max_size=200),
    st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=80),
    st.tuples(st.sampled_from(["", "x", "日", "a-b ", "1"]), st.integers(55, 140)).map(lambda t: t[0] * t[1] + "7 é1"),
)


def column(rows: list[str], offset: int = 0, after: int = 0) -> pa.StringArray:
    return pa.array(["skipped 1"] * offset + rows + ["after 1"] * after, pa.string()).slice(offset, len(rows))


def find(messages: pa.StringArray, secret: bytes, at_most: int) -> Found:
    entries = templates.find(messages, secret) if len(messages) else templates.NO_ENTRIES
    return templates.most_frequent(messages, entries, Room(at_most, 1 << 30))


def expected(rows: list[str], at_most: int) -> tuple[list[str | None], list[tuple[str, int]]]:
    """Each row's template, and those kept with their counts."""
    texts = [None if WILDCARD in row else template(row) for row in rows]
    texts = [None if text is None or len(text.encode()) > TEMPLATE_MAX_BYTES else text for text in texts]
    kept = Counter(text for text in texts if text is not None).most_common(at_most)
    return [text if text in dict(kept) else None for text in texts], kept


def check(rows: list[str], at_most: int, offset: int = 0, after: int = 0) -> None:
    found = find(column(rows, offset, after), SECRET, at_most)
    of_row, kept = expected(rows, at_most)
    assert list(zip(found.texts.to_pylist(), found.counts.tolist(), strict=True)) == kept
    of_each = {text: reduce(or_, (letters(one) for one in rows if template(one) == text), 0) for text, _ in kept}
    assert dict(zip(found.texts.to_pylist(), found.letters.tolist(), strict=True)) == of_each
    all_with = {text: [row for row in rows if WILDCARD not in row and template(row) == text] for text, _ in kept}
    assert found.fuller.to_pylist() == [fuller(all_with[text]) for text, _ in kept]
    text_of = dict(zip(found.distinct.tolist(), found.texts.to_pylist(), strict=True))
    assert len(text_of) == len(kept) and UNASSIGNED not in text_of
    assert [text_of.get(number) for number in found.ids.tolist()] == of_row
    assert {number for number in found.ids.tolist() if number not in text_of} <= {UNASSIGNED}
    if rows:
        check_each(rows, offset, after)


def check_each(rows: list[str], offset: int, after: int) -> None:
    """Of all templates, not of the most frequent ones only."""
    messages = column(rows, offset, after)
    of_row, _ = expected(rows, len(rows))
    alone = templates.find(messages, SECRET)
    none = pa.nulls(len(rows), pa.string())
    _, beside_words = tokens.build(messages, none, [], np.array([len(rows)]), SECRET)
    assert np.array_equal(alone.distinct, beside_words.distinct)
    assert np.array_equal(alone.of_row, beside_words.of_row)
    assert templates.ids(messages, SECRET).tolist() == find(messages, SECRET, len(rows)).ids.tolist()
    has_one, texts = templates.texts(messages)
    assert has_one.tolist() == [text is not None for text in of_row]
    assert texts.to_pylist() == [text for text in of_row if text is not None]


@given(st.lists(messages, max_size=12), st.integers(0, 6), st.integers(0, 3), st.integers(0, 2))
@example([], 1, 0, 0)
@example([""], 1, 0, 0)
@example(["", ""], 1, 2, 0)
@example(["a1", f"a{WILDCARD}", "a2"], 3, 0, 1)
@example(["x" * 63 + "é1é" + "y" * 70 + "2"], 1, 0, 0)
@example(["1" * 300, "2"], 1, 0, 0)
@example(["1" * 255 + " 7", "1" * 255 + " 7"], 1, 0, 0)
@example(["1" * 256 + " 7", "1" * 256 + " 7"], 1, 0, 0)
@example(["v1 of 2", "v1 of 3", "v1 of 2"], 1, 0, 0)
@example(["v1 " * 63 + "v1", "v1 " * 63 + "v1"], 1, 0, 0)
@example(["v1 " * 62 + "a2", "v1 " * 62 + "a3"], 1, 0, 0)
@example(["x" * 4090 + " v1 v2 ab3", "x" * 4090 + " v1 v2 ab3"], 1, 0, 0)
@example(["x" * 4080 + " v1 v2 ab3", "x" * 4080 + " v1 v2 ab3"], 1, 0, 0)
def test_templates_are_what_a_plain_reading_finds(rows: list[str], at_most: int, offset: int, after: int) -> None:
    check(rows, at_most, offset, after)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_template_may_have_so_many_bytes_and_no_more(more: int) -> None:
    length = TEMPLATE_MAX_BYTES + more
    check(["x" * length, "-" * (length - 1) + "12345", "1" + "é" * (length // 2), "." * (length - 2) + "1."], 9)


@given(st.lists(messages, max_size=30), st.integers(0, 400), st.integers(0, 3))
def test_where_not_all_have_room_the_rare_ones_have_none(rows: list[str], room_bytes: int, rows_each: int) -> None:
    entries = templates.find(column(rows), SECRET) if rows else templates.NO_ENTRIES
    room = Room(len(rows), room_bytes, rows_each)
    found = templates.most_frequent(column(rows), entries, room)
    _, every = expected(rows, len(rows))
    sizes = itertools.accumulate(len(text.encode()) + TEMPLATE_BYTES for text, _ in every)
    fitting = sum(size <= room_bytes for size in sizes)
    if fitting < len(every):
        every = [(text, count) for text, count in every[:fitting] if count >= rows_each]
    assert list(zip(found.texts.to_pylist(), found.counts.tolist(), strict=True)) == every
    each = [fuller([row for row in rows if WILDCARD not in row and template(row) == text]) for text, _ in every]
    room_left = [size <= room_bytes for size in itertools.accumulate(len(text.encode()) for text in each)]
    assert found.fuller.to_pylist() == [text if fits else "" for text, fits in zip(each, room_left, strict=True)]
    told = templates.told_by(column(rows), entries, found.ids, room)
    assert told.ids.tolist() == found.ids.tolist()
    assert told.texts == found.texts and told.letters.tolist() == found.letters.tolist()
    assert told.fuller == found.fuller


def test_huge_lines() -> None:
    digits = "a1" * 20_000
    check([digits, f"{digits} a", "- " * 50_000, "9 " * 2048, "9 " * 2049, "é9中" * 10_000], 9)


def test_every_split_of_a_block_is_seen_alike() -> None:
    check(
        ["-" * before + word + "-" * after for word in ("é1", "11", "中") for before in range(70) for after in (0, 9)],
        999,
    )


def test_an_id_depends_on_the_text_and_the_secret_alone_and_never_changes() -> None:
    alone = find(column(["user 1"]), SECRET, 1)
    among = find(column(["x", "user 77", "y"], offset=3), SECRET, 3)
    assert alone.ids[0] == among.ids[1] == KNOWN_ID
    assert find(column(["user 1"]), SECRET[::-1], 1).ids[0] != alone.ids[0]


KNOWN_ID = -52341670077284015
"""What segments written before hold."""


@pytest.mark.parametrize("secret", [bytes(16), b"\xff" * 16, SECRET])
@pytest.mark.parametrize("around", ["", "the same before ", "x" * 33])
def test_templates_that_differ_little_have_ids_of_their_own(secret: bytes, around: str) -> None:
    rows = [around + "".join(letters) for letters in itertools.product("abcdefgh", repeat=5)]
    found = find(column(rows), secret, len(rows))
    assert found.ids.tolist() == found.distinct.tolist()
    assert len(set(found.ids.tolist())) == len(rows)
    bits = (found.ids.view(np.uint64)[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02


def test_more_templates_than_texts_are_kept_for() -> None:
    rows = [f"{'x' * 4000}{chr(0x4E00 + i)}" for i in range(5000)] * 2
    found = find(column(rows), SECRET, 6000)
    assert found.texts.to_pylist() == rows[:5000]
    assert set(found.counts.tolist()) == {2}
    assert found.ids.tolist() == found.distinct.tolist() * 2
    huge = f"{'1' * 3_000_000} came"  # were it read again for each of the others, this would take minutes
    found = find(column([*rows[:5000], huge, *["1 came"] * 50_000]), SECRET, 6000)
    assert found.texts.to_pylist()[:2] == [f"{WILDCARD} came", rows[0]]
    assert found.counts.tolist()[0] == 50_001


@given(st.lists(st.text("ab1 ", max_size=6), max_size=30))
def test_rows_with_equal_ids_have_equal_templates(rows: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(templates, "_ID_MASK", 3)
        found = find(column(rows), SECRET, 9)
    text_of = dict(zip(found.distinct.tolist(), found.texts.to_pylist(), strict=True))
    assert set(text_of) <= {1, 2, 3}
    taken = [(number, row) for number, row in zip(found.ids.tolist(), rows, strict=True) if number != UNASSIGNED]
    assert all(text_of[number] == template(row) for number, row in taken)
    assert sum(found.counts.tolist()) == len(taken)
    assert bool(taken) == bool(rows)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="15 bytes"):
        find(column(["a"]), SECRET[1:], 1)
    with pytest.raises(ValueError, match="at most -1"):
        find(column(["a"]), SECRET, -1)
