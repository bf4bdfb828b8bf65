"""Words: the table of letters and digits, and where a phrase stands free, against a naive reading."""

import unicodedata

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from logstore.words import FEW, is_word_character, may_hold, stands_free
from tests.native.word_table import SURROGATES, TABLE, source, word_characters

ALPHABET = "aik_1 -.é—中\u0301ß"
OTHERS = {"İ": "i", "K": "k"}
"""Characters beyond ASCII whose lower case is a letter of ASCII."""
texts = st.text(ALPHABET + "AIKÉ" + "".join(OTHERS), max_size=12)


def is_word(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LN"


def test_the_table_is_what_its_generator_writes() -> None:
    assert TABLE.read_text() == source(word_characters())


def test_every_character_that_python_knows_is_judged_alike() -> None:
    known = (chr(code) for code in range(0x110000) if code not in SURROGATES)
    wrong = [c for c in known if unicodedata.category(c) != "Cn" and is_word(c) != is_word_character(c)]
    assert wrong == []


def naive(text: str, needle: str, is_prefix: bool) -> bool:
    for at in range(len(text) - len(needle) + 1):
        end = at + len(needle)
        joins_before = at > 0 and is_word(text[at - 1]) and is_word(needle[0])
        joins_after = end < len(text) and is_word(text[end]) and is_word(needle[-1]) and not is_prefix
        if text[at:end] == needle and not joins_before and not joins_after:
            return True
    return False


def lower(text: str) -> str:
    return "".join(OTHERS.get(character, character.lower()) for character in text)


@given(st.lists(texts, max_size=8), st.text(ALPHABET, min_size=1, max_size=3), st.booleans(), st.integers(0, 3))
@example(found=["-É1", "É1", "xaik"], needle="1", is_prefix=False, offset=1)
@example(found=["aK", "Ki", "İKİ.", "ki"], needle="ki", is_prefix=True, offset=0)
@example(
    found=["a" * 100 + " KI-" + "b" * 100, "-" * 70 + "İK", "K" * 70 + "I"], needle="ki", is_prefix=False, offset=0
)
def test_a_phrase_stands_free_where_a_naive_reading_finds_it_in_any_case(
    found: list[str], needle: str, is_prefix: bool, offset: int
) -> None:
    told = found if needle.isascii() else [lower(text) for text in found]
    column = pa.array(["skipped"] * offset + told, pa.string()).slice(offset)
    expected = [naive(lower(text), needle, is_prefix) for text in found]
    assert stands_free(column, needle, is_prefix=is_prefix).tolist() == expected


PERIODS = st.text("ik-", min_size=1, max_size=5)
TAILS = st.text("ik-", max_size=9)


def repeated(period: str, times: int, tail: str) -> str:
    return period * times + tail


@given(
    st.builds(repeated, PERIODS, st.integers(14, 30), TAILS),
    st.lists(st.builds(repeated, PERIODS, st.integers(0, 40), TAILS) | texts, max_size=6),
    st.data(),
)
@example(phrase="ik-" * 30, pieces=["ik-" * 40 + "k", "-" + "IK-" * 29 + "\u0130K-"], data=None)
def test_long_phrases_are_found_wherever_they_stand_free(
    phrase: str, pieces: list[str], data: st.DataObject | None
) -> None:
    period = phrase[:3]
    found = [
        *pieces,
        phrase,
        f"{period}{phrase}",
        phrase.upper() + period,
        f".{phrase} ",
        phrase.replace("k", "\u212a"),
    ]
    if data is not None:
        found = ["".join(data.draw(st.permutations([text, *pieces, phrase])))[:2_000] for text in found]
    expected = [naive(lower(text), phrase, is_prefix=False) for text in found]
    assert stands_free(pa.array(found), phrase).tolist() == expected
    if all(map(is_word, phrase)):
        assert may_hold(pa.chunked_array([found]), [phrase]).tolist() == expected


def test_phrases_that_begin_everywhere_are_looked_for_in_no_time_that_grows_with_both() -> None:
    """Compared anew at each place, each of them takes minutes."""
    for text, phrase in (("a" * 5_000_000, "a" * 60_000), ("-aa" * 2_000_000, "-aa" * 20_000 + "-a")):
        assert stands_free(pa.array([text]), phrase).tolist() == [False]
        assert stands_free(pa.array([f"{text} {phrase} ", "\u212a" * 500_000]), phrase).tolist() == [True, False]


WORDS = st.text("ik1_sx", min_size=1, max_size=70)
LONG = st.text("iIkKK1_sSx .éİ—中", max_size=90)
"""Longer than what is looked through at once."""


MANY = [f"{text}{at}" for at in range(FEW) for text in ("ik", "1_", "x" * 70)]


@given(
    st.lists(st.lists(LONG | st.none(), max_size=5), max_size=4),
    st.lists(WORDS, min_size=1, max_size=3) | st.lists(WORDS, min_size=1, max_size=3).map(lambda few: [*few, *MANY]),
    st.data(),
)
def test_texts_that_have_one_of_some_words_are_found_in_any_case(
    chunks: list[list[str | None]], words: list[str], data: st.DataObject
) -> None:
    said = st.sampled_from([*words, *(word.upper() for word in words)])
    around = st.sampled_from(["", " ", ".", "x", "é", "—"])
    chunks = [[text and data.draw(around) + data.draw(said) + text for text in chunk] for chunk in chunks]
    column = pa.chunked_array([pa.array(["skipped", *chunk], pa.string()).slice(1) for chunk in chunks], pa.string())
    texts = [lower(text or "") for chunk in chunks for text in chunk]
    expected = [any(naive(text, word, is_prefix=False) for word in words) for text in texts]
    assert may_hold(column, words).tolist() == expected


def test_a_word_beyond_ascii_may_be_in_any_text() -> None:
    assert may_hold(pa.chunked_array([["a", "b"]]), ["é"]).tolist() == [True, True]
