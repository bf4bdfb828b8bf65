"""Records that were read in several batches, in the order in which they came."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def in_order(batches: Sequence[pa.RecordBatch], places: Sequence[int]) -> pa.RecordBatch:
    """The records of the batches, one after the other, by their places."""
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    ordered = table.take(pa.array(np.argsort(places, kind="stable"))).combine_chunks()
    [batch] = ordered.to_batches() or [batches[0]]
    return batch
