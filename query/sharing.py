"""Records of a batch written once, for all readers who are sent them as they are."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from logstore.enrich import whole
from query.events import Records
from query.matching import Mask
from query.rows import json_rows
from query.sql.answer import Column


class SharedLines:
    """The lines of those records of a batch that one of some filters accepts."""

    def __init__(self, columns: Sequence[Column], records: pa.Table, accepted: Sequence[Mask]) -> None:
        self._wanted: Mask = np.logical_or.reduce(accepted)
        chosen = whole(records.filter(pa.array(self._wanted)))
        shown = chosen.select([column.name for column in columns]).combine_chunks()
        encoder = json_rows(columns, keeps_nulls=False)
        self._text = b"".join(chunk for batch in shown.to_batches() for chunk in encoder.encode(batch))
        self._seqs = chosen["_seq"].to_numpy()
        self._lines: list[bytes] = []

    def of(self, mask: Mask) -> Records:
        """The records of the batch that one of the filters accepts, or some of those."""
        own = mask[self._wanted]
        seqs = tuple(self._seqs[own].tolist())
        if len(seqs) == len(own):
            return Records(self._text, len(seqs), seqs)
        if not self._lines:
            self._lines = self._text.splitlines(keepends=True)
        return Records(b"".join([self._lines[at] for at in np.flatnonzero(own)]), len(seqs), seqs)
