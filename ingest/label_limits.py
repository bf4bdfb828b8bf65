"""Labels that are too long to tell streams apart by.

The catalog has each stream's labels, and looks streams up by them: texts of megabytes would make every look-up slow,
for ever. So labels have at most `LABELS_MAX_BYTES`, as JSON; of more, the longest are left out until the others fit,
and stand in the attribute `_labels` of the first record that has them in a request.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.exact_json import members_text, read_exactly
from ingest.placing import indices
from ingest.rows import dictionary
from logstore.attributes import prepend

LABELS_MAX_BYTES: Final = 64 << 10
LEFT_OUT: Final = "_labels"


def with_short_labels(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The records with labels that are short enough; the same batch where all are."""
    labels = batch.column("labels")
    _, _, text = labels.dictionary.buffers()
    if text is None or text.size <= LABELS_MAX_BYTES:
        return batch
    sizes = pc.binary_length(labels.dictionary).to_numpy(zero_copy_only=False)
    if sizes.max() <= LABELS_MAX_BYTES:
        return batch
    words: list[str | None] = [*labels.dictionary.to_pylist(), None]
    left: list[str | None] = [None]
    rows, codes = indices(labels), np.zeros(batch.num_rows, np.int32)
    for code in np.flatnonzero(sizes > LABELS_MAX_BYTES).tolist():
        words[code], left_out = _cut(words[code] or "{}")
        if len(having := np.flatnonzero(rows == code)):
            codes[having[0]] = len(left)
            left.append(left_out)
    columns = {
        "labels": dictionary(words, rows),
        "attributes": prepend(pa.array(left, pa.string()), pa.array(codes), batch.column("attributes")),
    }
    arrays = [columns.get(name, batch.column(name)) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _cut(text: str) -> tuple[str | None, str | None]:
    """The labels that fit, and the attribute with the others, as members of an object."""
    labels = read_exactly(text)
    size_bytes = len(text.encode())
    left = {}
    for name, member in sorted(((name, members_text({name: labels[name]}) or "") for name in labels), key=_longest):
        if size_bytes <= LABELS_MAX_BYTES:
            break
        left[name] = labels.pop(name)
        size_bytes -= len(member.encode()) + 1
    kept = members_text(labels)
    return kept and f"{{{kept}}}", members_text({LEFT_OUT: left})


def _longest(member: tuple[str, str]) -> tuple[int, str]:
    return -len(member[1]), member[0]
