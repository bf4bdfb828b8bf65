"""Words: the table of letters and digits, and where a phrase stands free, against a naive reading."""

import unicodedata

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logstore.words import is_word_character, stands_free
from tests.native.word_table import SURROGATES, TABLE, source, word_characters

ALPHABET = "ab_1 -.é—中\u0301ß"
texts = st.text(ALPHABET, max_size=12)


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


@given(st.lists(texts, max_size=8), st.text(ALPHABET, min_size=1, max_size=3), st.booleans(), st.integers(0, 3))
def test_a_phrase_stands_free_where_a_naive_reading_finds_it(
    found: list[str], needle: str, is_prefix: bool, offset: int
) -> None:
    column = pa.array(["skipped"] * offset + found, pa.string()).slice(offset)
    expected = [naive(text, needle, is_prefix) for text in found]
    assert stands_free(column, needle, is_prefix=is_prefix).to_pylist() == expected
