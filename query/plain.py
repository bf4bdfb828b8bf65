"""Conditions that records in memory are asked without SQL: words of ASCII in the message, identity and time. Setting up
a statement takes longer than looking at thousands of records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.native.arrays import int64s
from logstore.pruning import Bounds
from logstore.wanted import Wanted
from logstore.words import stands_free
from query import analyse, ast
from query.required import words_of_message
from query.sql.filters import lower
from query.verdicts import Flags

_NO_IDENTITY: Final[Mapping[str, frozenset[str]]] = {}


@dataclass(frozen=True, slots=True)
class Plain:
    """All that a query asks of records besides their time."""

    identity: Mapping[str, frozenset[str]] = field(default_factory=dict)
    phrases: tuple[ast.Phrase, ...] = ()

    def mask(self, table: pa.Table, between_ns: tuple[int, int]) -> Flags:
        """Which of these records, whose messages are among their columns, match and are between two times, both
        inclusive."""
        times = int64s(table["time"])
        mask: Flags = (times >= between_ns[0]) & (times <= between_ns[1]) & Wanted(self.identity).has_identity(table)
        if not self.phrases:
            return mask
        messages = table["message"].filter(pa.array(mask))
        words = tuple(words for phrase in self.phrases for words in words_of_message(phrase))
        if words:
            may = Wanted(_NO_IDENTITY, words).has_words(messages)
            mask[mask] = may
            messages = messages.filter(pa.array(may))
        for phrase in self.phrases:
            has = _having(messages, phrase)
            mask[mask] = has
            messages = messages.filter(pa.array(has))
        return mask


def plain_of(query: ast.Query, bounds: Bounds) -> Plain | None:
    """None where the query asks for more."""
    if bounds.up_to_seq is not None or bounds.after_seq is not None:
        return None
    conditions = [
        one for one in analyse.conjuncts(query) if not (analyse.is_exact_bound(one) or analyse.is_identity(one))
    ]
    phrases = tuple(one for one in conditions if isinstance(one, ast.Phrase) and _is_plain(one))
    return Plain(bounds.identity, phrases) if len(phrases) == len(conditions) else None


def _is_plain(phrase: ast.Phrase) -> bool:
    return phrase.target == ast.Name("message") and phrase.text.isascii() and phrase.text != ""


def _having(messages: pa.ChunkedArray, phrase: ast.Phrase) -> Flags:
    found = [stands_free(chunk, lower(phrase.text), is_prefix=phrase.prefix) for chunk in messages.chunks]
    return np.concatenate([np.zeros(0, np.bool_), *found])
