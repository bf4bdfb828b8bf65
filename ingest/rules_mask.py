"""Masks: what must not be stored is replaced, in messages and in the strings that attributes hold.

Detectors are known by name:

| name | what it finds |
|---|---|
| `card` | payment card numbers: 13 to 19 digits as issuers give them out, with a right Luhn digit |
| `bearer` | what follows `Bearer`, and `Basic` or `Token` in an Authorization header; `Basic` at the start of a value |
| `aws` | AWS access key ids, and secret keys that are named as such |
| `github` | GitHub tokens, classic and fine-grained |
| `slack` | Slack tokens and webhook addresses |
| `jwt` | JSON web tokens |
| `private_key` | PEM private keys, from BEGIN to END, or to the end of the record |
| `email` | e-mail addresses |

A message is masked as the text that it is, and if that is a JSON object, so that it still is one wherever possible.
A column is searched for the few letters that a detector cannot do without, and only the texts that have them are looked
at by its regular expression.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest.json_text import clean
from ingest.lines_kernels import Mask, rows_holding
from ingest.rules_texts import mask_cards

CARD_MASK: Final = "[card]"


@dataclass(frozen=True, slots=True)
class Masker:
    """One replacement; `literals`: a text without any of these has nothing to mask, if there are any."""

    pattern: str
    replacement: str
    literals: tuple[str, ...] = ()

    def apply(self, texts: pa.StringArray) -> pa.StringArray:
        """The texts with everything replaced; the same array if nothing was."""
        chosen = rows_holding(texts, self.literals) if self.literals else None
        if chosen is not None and not chosen.any():
            return texts
        if chosen is None or chosen.mean() > 0.5:
            return _replaced(texts, self.pattern, self.replacement)
        some = texts.filter(pa.array(chosen))
        masked = _replaced(some, self.pattern, self.replacement)
        return texts if masked is some else pc.replace_with_mask(texts, pa.array(chosen), masked)


class CardMasker:
    """As `Masker`, for payment cards."""

    __slots__ = ()

    def apply(self, texts: pa.StringArray) -> pa.StringArray:
        return mask_cards(texts, CARD_MASK)


AnyMasker = Masker | CardMasker

DETECTORS: Final[dict[str, AnyMasker]] = {
    "card": CardMasker(),
    "bearer": Masker(
        r"(?i)(\bauthorization\W{1,6}(?:basic|token)\s+|\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"
        r"|((?:\A|\")basic\s+)[A-Za-z0-9+/=]{16,}",
        r"\1\2[bearer]",
        ("earer", "EARER", "asic", "ASIC", "oken", "OKEN"),
    ),
    "aws": Masker(
        r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"
        r"|((?i:aws_?secret_?(?:access_?)?key|secretaccesskey)\W{1,6})[A-Za-z0-9/+=]{40}",
        r"\1[aws]",
        ("AKIA", "ASIA", "AROA", "AIDA", "ecret", "ECRET"),
    ),
    "github": Masker(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})",
        "[github]",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    "slack": Masker(
        r"\bxox[a-z]-[A-Za-z0-9-]{10,250}|\bxapp-[A-Za-z0-9-]{10,250}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,100}",
        "[slack]",
        ("xox", "xapp-", "hooks.slack.com"),
    ),
    "jwt": Masker(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*", "[jwt]", ("eyJ",)),
    "private_key": Masker(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        "[private_key]",
        ("PRIVATE KEY-----",),
    ),
    "email": Masker(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}", "[email]", ("@",)),
}

_ANCHOR: Final = re.compile(r"(?<!\[)\^|\$|\\[Az]")
_SCALAR: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|-?\d[\d.eE+-]*')
"""A string or number of a JSON text that is known to be one; the group is there if it is a key."""


def masked(batch_texts: pa.StringArray, maskers: tuple[AnyMasker, ...]) -> pa.StringArray:
    """The texts with all replacements, one after the other; the same array if there was none."""
    for masker in maskers:
        batch_texts = masker.apply(batch_texts)
    return batch_texts


def masked_messages(messages: pa.StringArray, maskers: tuple[AnyMasker, ...]) -> pa.StringArray:
    """The texts with all replacements; the same array if there was none.

    Replaced as it stands, a JSON text may be none any more (the n of a `\\n` is no letter of an address), and what it
    writes in escapes is not seen: there the strings are looked at first.
    """
    after = masked(messages, maskers)
    is_object = pc.fill_null(pc.starts_with(messages, "{"), False).to_numpy(zero_copy_only=False)
    has_escapes = rows_holding(messages, ("\\u00",))
    chosen = is_object & (changed_rows(messages, after) | has_escapes)
    for row in np.flatnonzero(chosen).tolist():
        is_sound = not has_escapes[row] and _is_json(after[row].as_py())
        chosen[row] = not is_sound and _is_json(messages[row].as_py())
    if not chosen.any():
        return after
    inside = masked(masked_values(messages.filter(pa.array(chosen)), maskers), maskers)
    return pc.replace_with_mask(after, pa.array(chosen), inside)


def masked_attributes(attributes: pa.StringArray, maskers: tuple[AnyMasker, ...]) -> pa.StringArray:
    """JSON texts with all replacements made in their values; the same array if there was none."""
    may_change = _may_change(attributes, maskers)
    if not may_change.any():
        return attributes
    chosen = pa.array(may_change)
    before = attributes.filter(chosen)
    after = masked_values(before, maskers)
    return attributes if after is before else pc.replace_with_mask(attributes, chosen, after)


def masked_values(objects: pa.StringArray, maskers: tuple[AnyMasker, ...]) -> pa.StringArray:
    """JSON texts, none null, with all replacements made in strings and numbers that are values; everything else is the
    same to the byte. The same array if there was none.
    """
    texts: list[str] = objects.to_pylist()
    found = [[match for match in _SCALAR.finditer(text) if not match[1]] for text in texts]
    values = pa.array([_text_of(match[0]) for matches in found for match in matches], pa.string())
    after = masked(values, maskers)
    if after is values:
        return objects
    news = iter(zip(values.to_pylist(), after.to_pylist(), strict=True))
    return pa.array([_rewritten(text, matches, news) for text, matches in zip(texts, found, strict=True)], pa.string())


def changed_rows(before: pa.StringArray, after: pa.StringArray) -> Mask:
    """Which texts are others."""
    if before is after:
        return np.zeros(len(before), bool)
    differs = pc.fill_null(pc.not_equal(before, after), False)
    return differs.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _replaced(texts: pa.StringArray, pattern: str, replacement: str) -> pa.StringArray:
    if not pc.any(pc.match_substring_regex(texts, pattern)).as_py():
        return texts
    return pc.replace_substring_regex(texts, pattern, replacement)


def _may_change(attributes: pa.StringArray, maskers: tuple[AnyMasker, ...]) -> Mask:
    """Texts in which something would be replaced as they stand, or which have escapes, behind which anything may be.

    All texts, if a pattern of the user's asks where a value begins or ends: its JSON text does not tell.
    """
    own = [masker.pattern for masker in maskers if isinstance(masker, Masker) and not masker.literals]
    if any(_ANCHOR.search(pattern) for pattern in own):
        return pc.is_valid(attributes).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    found = rows_holding(attributes, ("\\",))
    for masker in maskers:
        found |= changed_rows(attributes, masker.apply(attributes))
    return found


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _text_of(scalar: str) -> str:
    return clean(json.loads(scalar)) if scalar.startswith('"') else scalar


def _rewritten(text: str, strings: list[re.Match[str]], news: Any) -> str:
    parts: list[str] = []
    at = 0
    for match in strings:
        before, after = next(news)
        if before != after:
            parts += (text[at : match.start()], json.dumps(after, ensure_ascii=False))
            at = match.end()
    return "".join((*parts, text[at:]))
