"""A batch as rules see it."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pyarrow as pa

from ingest.lines_kernels import Mask
from logstore.enrich import enrich, whole


class View:
    """A batch, and what its lines say of themselves: worked out once, and only if somebody asks."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch

    @property
    def rows(self) -> int:
        return int(self.batch.num_rows)

    @cached_property
    def seen(self) -> "View":
        """The batch with the severity and the attributes that queries will see."""
        return View(whole(enrich(self.batch)))

    def by_word(self, name: str, holds: Callable[[str | None], bool]) -> Mask:
        """Which records' word in a dictionary column is such a one; each distinct word is asked about once."""
        column = self.batch.column(name)
        of_word = [holds(word) for word in column.dictionary.to_pylist()] + [holds(None)]
        codes = column.indices.fill_null(len(of_word) - 1).to_numpy()
        found: Mask = np.array(of_word, bool)[codes]
        return found
