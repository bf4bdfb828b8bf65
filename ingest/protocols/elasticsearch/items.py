"""The answer to `_bulk`: one item for each action, in their order, by the verb that was sent.

Agents read it with little care: Fluent Bit looks for `"errors":false,"items":[`, Vector for `"errors":true`, so that
there are no blanks and the order of keys is fixed; Logstash, Beats and Fluentd count the items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson

from ingest.protocols.elasticsearch.bulk import VERBS, Bytes
from ingest.protocols.elasticsearch.filter_path import filtered
from logstore.errors import TooLarge

ANSWER_MAX_BYTES: Final = 128 << 20
"""A body of a few bytes an action, compressed besides, would have an answer many times its size."""
_ID: Final = "@id@"
_ID_MEMBER: Final = f'"_id":"{_ID}"'
_NUMBER_DIGITS: Final = 6
_PREFIX_DIGITS: Final = 14
KEPT_MAX_BYTES: Final = 1 << 20
"""Of the answers that are kept to be made again, each."""
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)

Codes = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an action was not done."""

    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Items:
    """What became of the actions. `ids` are JSON strings; an action without one gets one."""

    verbs: Bytes
    statuses: "np.ndarray[Any, np.dtype[np.int16]]"
    index: Codes
    """Places in `index_names`."""
    index_names: Sequence[str]
    ids: Sequence[str | None]
    failures: Mapping[int, Failure]


def body(items: Items, now_ns: int, filter_path: str) -> bytes:
    """The answer's text; `now_ns` makes generated ids unique.

    Raises:
        TooLarge: over `ANSWER_MAX_BYTES`.
    """
    whole = {"took": 1, "errors": bool(items.failures), "items": [{}]}
    frame = filtered(whole | {"items": [{"index": {"status": 0}}]}, filter_path) if filter_path else whole
    texts = _texts(items, now_ns, filter_path)
    members = [b'"%b":%b' % (key.encode(), orjson.dumps(frame[key])) for key in ("took", "errors") if key in frame]
    if not texts and filter_path:
        return b"{%b}" % b",".join(members)
    return b"".join((b"{", *(member + b"," for member in members), b'"items":[', texts, b"]}"))


def _texts(items: Items, now_ns: int, filter_path: str) -> bytes:
    """All items, with commas between."""
    count = len(items.verbs)
    kinds = (items.index * 1024 + items.statuses) * len(VERBS) + items.verbs
    if (kinds == kinds[0]).all():  # as mostly
        first, kind_of = np.zeros(1, np.int64), np.zeros(count, np.int64)
    else:
        _, first, kind_of = np.unique(kinds, return_index=True, return_inverse=True)
    forms = [_form(items, int(row), None, filter_path) for row in first]
    sizes = [len(form[0]) + len(form[1] or "") if form else 0 for form in forms]
    if np.dot(sizes, np.bincount(kind_of)) > ANSWER_MAX_BYTES:
        raise TooLarge(
            f"the answer to {count:,} actions would have more than {ANSWER_MAX_BYTES:,} bytes; send smaller batches"
        )
    if len(forms) == 1 and not items.failures and not items.ids:
        return _alike(forms[0], _prefix(now_ns), count)
    ids = _ids(items, now_ns)
    texts = []
    for at, (kind, id_) in enumerate(zip(kind_of.tolist(), ids, strict=True)):
        failure = items.failures.get(at)
        form = _form(items, at, failure, filter_path) if failure else forms[kind]
        if form:
            texts.append(form[0] if form[1] is None else form[0] + id_ + form[1])
    return ",".join(texts).encode("utf-8", "replace")


def _alike(form: tuple[str, str | None] | None, prefix: str, count: int) -> bytes:
    """The items of actions that differ at most in their generated ids."""
    before, after = form or ("", None)
    if not before or after is None:
        return b",".join([before.encode()] * count) if before else b""
    is_kept = (len(before) + len(after)) * count <= KEPT_MAX_BYTES
    texts = (_numbered if is_kept else _numbered.__wrapped__)(before, after, count).copy()
    begin = len(before.encode()) + 1
    texts[:, begin : begin + len(prefix)] = np.frombuffer(prefix.encode(), np.uint8)
    return texts.reshape(-1)[:-1].tobytes()


@lru_cache(16)
def _numbered(before: str, after: str, count: int) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    """The items, a row each with a comma, without the prefix of their ids. Most batches of a client are of one size."""
    head = f'{before}"{"":{_PREFIX_DIGITS}}'.encode()
    text = head + b"0" * _NUMBER_DIGITS + b'"' + after.encode() + b","
    texts = np.tile(np.frombuffer(text, np.uint8), (count, 1))
    numbers = np.arange(count)
    for digit in range(_NUMBER_DIGITS):
        texts[:, len(head) + _NUMBER_DIGITS - 1 - digit] = _HEX[(numbers >> (4 * digit)) & 15]
    return texts


def _prefix(now_ns: int) -> str:
    return f"{now_ns:016x}"[-_PREFIX_DIGITS:]


def _ids(items: Items, now_ns: int) -> Sequence[str]:
    prefix = _prefix(now_ns)
    if not items.ids:
        return [f'"{prefix}{at:0{_NUMBER_DIGITS}x}"' for at in range(len(items.verbs))]
    return [id_ or f'"{prefix}{at:0{_NUMBER_DIGITS}x}"' for at, id_ in enumerate(items.ids)]


def _form(items: Items, row: int, failure: Failure | None, filter_path: str) -> tuple[str, str | None] | None:
    """The text before and after the id; the whole text, if the filter leaves the id out; None, if it leaves out all."""
    verb = VERBS[items.verbs[row]]
    item = {"_index": items.index_names[items.index[row]], "_id": _ID}
    item |= _failed(failure) if failure else _done(verb)
    item["status"] = int(items.statuses[row])
    told: dict[str, Any] = {"took": 1, "errors": False, "items": [{verb: item}]}
    kept = filtered(told, filter_path).get("items") if filter_path else told["items"]
    if not kept:
        return None
    text = orjson.dumps(kept[0]).decode()
    before, found, after = text.partition(_ID_MEMBER)
    return (before + '"_id":', after) if found else (text, None)


def _done(verb: str) -> dict[str, Any]:
    if verb == "delete":
        return {"_version": 1, "result": "not_found"}
    return {
        "_version": 1,
        "result": "updated" if verb == "update" else "created",
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "_seq_no": 0,
        "_primary_term": 1,
    }


def _failed(failure: Failure) -> dict[str, Any]:
    return {"error": {"type": failure.type, "reason": failure.reason}}
