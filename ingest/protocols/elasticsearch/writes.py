"""Requests with documents: `_bulk` in all its forms, and single documents."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import google_crc32c
import numpy as np

from ingest import documents
from ingest.placing import Groups
from ingest.protocol import Answer, Take
from ingest.protocols.elasticsearch import answers, items
from ingest.protocols.elasticsearch.bulk import VERBS, Bulk, State, split
from ingest.protocols.elasticsearch.items import Failure, Items
from ingest.request import Decoded, Request
from logstore.errors import InvalidInput, TooLarge
from logstore.native import canonical_json

INDEX_ATTRIBUTE: Final = "es.index"
_UPDATE: Final = VERBS.index("update")
_STATUS: Final = np.array([201, 404, 400, 400, 400], np.int16)
"""Of an action by its `State`."""
_FAILURES: Final = {
    State.BAD_ACTION: Failure("illegal_argument_exception", "malformed action/metadata line: no action is named"),
    State.NO_DOCUMENT: Failure("illegal_argument_exception", "the body ends where the document is expected"),
    State.BAD_UPDATE: Failure("document_parsing_exception", "an update needs an object `doc` or `upsert`"),
}


def decode_bulk(request: Request) -> Decoded:
    """The documents of the actions. A document that is none is kept as raw text, so that it neither fails its
    neighbours nor comes again for ever; only what is too long, or has no action, is an item with an error.

    If all actions have ids, these are the batch's name: it is stored once, however often it is sent.

    Raises:
        InvalidInput: no action at all.
        TooLarge: too many.
    """
    bulk = split(request.body, request.limits)
    if not len(bulk.verbs):
        raise InvalidInput("request body is required: actions and documents, one a line")
    names = [*bulk.index.dictionary.to_pylist(), request.head.segments.get("index", "")]
    index = bulk.index.indices.fill_null(len(names) - 1).to_numpy().astype(np.int64)
    if np.array([len(name) for name in names], np.int64)[index].sum() > request.limits.max_body_bytes:
        raise TooLarge("the names of the actions' indexes are too long together (max_body); send smaller batches")
    with_document = np.flatnonzero(bulk.states == State.DOCUMENT)
    groups = Groups(index[with_document], [{INDEX_ATTRIBUTE: name} if name else {} for name in names])
    decoded = documents.decode(bulk.documents, request, groups)
    failures = _failures(bulk, with_document, decoded)
    if len(failures) == len(bulk.verbs) == np.count_nonzero(bulk.states == State.BAD_ACTION):
        raise InvalidInput(_FAILURES[State.BAD_ACTION].reason)
    statuses = _STATUS[bulk.states]
    statuses[(bulk.verbs == _UPDATE) & (statuses == 201)] = 200
    statuses[list(failures)] = 400
    has_ids = bulk.ids.null_count < len(bulk.ids)
    told = Items(bulk.verbs, statuses, index, names, bulk.ids.to_pylist() if has_ids else (), failures)
    return replace(decoded, key=_key(bulk, request), items=told)


def answer_bulk(request: Request, decoded: Decoded) -> Answer:
    text = items.body(decoded.items, request.now_ns, request.head.params.get("filter_path", ""))
    return answers.raw_answer(request.head, text)


def decode_one(request: Request) -> Decoded:
    """A document that is the whole body, on however many lines.

    Raises:
        InvalidInput: the body is no JSON object.
    """
    line = canonical_json(request.body)
    if line is None or not line.startswith(b"{"):
        raise InvalidInput("failed to parse: the body must be one JSON object")
    index = request.head.segments["index"]
    decoded = documents.decode(line, request, Groups(np.zeros(1, np.int64), [{INDEX_ATTRIBUTE: index}]))
    if decoded.rejects:
        raise InvalidInput(decoded.rejects[0].error)
    return decoded


def answer_one(request: Request, _decoded: Decoded) -> Answer:
    segments = request.head.segments
    told: Mapping[str, Any] = {
        "_index": segments["index"],
        "_id": segments.get("id") or f"{request.now_ns:020x}",
        "_version": 1,
        "result": "created",
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "_seq_no": 0,
        "_primary_term": 1,
    }
    return answers.answer(request.head, told, 201)


def _failures(bulk: Bulk, with_document: Any, decoded: Decoded) -> dict[int, Failure]:
    failures = {
        int(at): _FAILURES[State(int(bulk.states[at]))] for at in np.flatnonzero(bulk.states >= State.BAD_ACTION)
    }
    for reject in decoded.rejects:
        failures[int(with_document[reject.line - 1])] = Failure("document_parsing_exception", reject.error)
    return failures


def _key(bulk: Bulk, request: Request) -> str:
    """The name of a batch whose actions all have ids. What else is sent under the same ids is another batch."""
    if bulk.ids.null_count:
        return ""
    _, offsets, text = bulk.ids.buffers()
    end = int(np.frombuffer(offsets, np.int32)[len(bulk.ids)])
    digest = hashlib.blake2b(memoryview(text)[:end], digest_size=16)
    digest.update(bulk.verbs.tobytes())
    digest.update(google_crc32c.value(request.body).to_bytes(4, "little"))
    return digest.hexdigest()


BULK: Final = Take(
    ("POST", "PUT"),
    ("/_bulk", "/_bulk/", "/{index}/_bulk", "/{index}/{type}/_bulk"),
    decode_bulk,
    answer_bulk,
)
ONE: Final = Take(
    ("POST", "PUT"),
    ("/{index}/_doc", "/{index}/_doc/{id}", "/{index}/_create/{id}"),
    decode_one,
    answer_one,
)
