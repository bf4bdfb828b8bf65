"""How many namespaces may be new in an hour. Each is a directory with files of its own, and a sender that names one for
each record, by mistake or not, would make flushes and queries slow for all. Records of those that are too many come
into one namespace, `_overflow`, where the attribute `_namespace` tells what they said.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any, Final

import numpy as np
import pyarrow as pa
import structlog

from ingest.placing import members_text
from logstore.attributes import prepend
from logstore.catalog import Partition

log = structlog.get_logger("ingest.namespaces")

OVERFLOW: Final = "_overflow"
SAID: Final = "_namespace"
HOUR_S: Final = 3600.0
_TRIED_MAX: Final = 64

Flags = np.ndarray[Any, np.dtype[np.bool_]]


class Namespaces:
    """The (cluster, namespace) pairs that there are. All methods are safe in any thread."""

    def __init__(
        self, known: Iterable[Partition], new_an_hour: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._known = set(known)
        self._new_an_hour = new_an_hour
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._hour = clock_s()
        self._new = 0
        self._overflowed = 0

    def readings(self) -> Mapping[str, float]:
        """The numbers for /metrics."""
        with self._lock:
            return {"namespaces": len(self._known), "namespace_overflow_records": self._overflowed}

    def admit(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records, those of namespaces that are too many in `_overflow`."""
        columns = batch.column("cluster"), batch.column("namespace")
        clusters, namespaces = (column.dictionary.to_pylist() for column in columns)
        if len(clusters) * len(namespaces) <= _TRIED_MAX and self._known.issuperset(product(clusters, namespaces)):
            return batch
        cluster, namespace = (column.indices.to_numpy().astype(np.int64) for column in columns)
        pair_of_row = cluster * len(namespaces) + namespace
        pairs, which = np.unique(pair_of_row, return_inverse=True)
        named = [(clusters[code // len(namespaces)], namespaces[code % len(namespaces)]) for code in pairs.tolist()]
        is_over = np.array([not self._is_admitted(pair) for pair in named], np.bool_)[which]
        return self._moved(batch, is_over) if is_over.any() else batch

    def _is_admitted(self, pair: Partition) -> bool:
        with self._lock:
            if pair in self._known:
                return True
            if self._clock_s() - self._hour >= HOUR_S:
                self._hour, self._new = self._clock_s(), 0
            self._new += 1
            if self._new <= self._new_an_hour:
                self._known.add(pair)
                return True
            if self._new == self._new_an_hour + 1:
                log.warning(
                    "too many new namespaces",
                    new_an_hour=self._new_an_hour,
                    one_of_them="/".join(pair),
                    records_go_to=OVERFLOW,
                    setting="new_namespaces",
                )
            return False

    def _moved(self, batch: pa.RecordBatch, is_over: Flags) -> pa.RecordBatch:
        with self._lock:
            self._overflowed += int(np.count_nonzero(is_over))
        said = batch.column("namespace")
        words = said.dictionary.to_pylist()
        codes = said.indices.to_numpy()
        moved = pa.DictionaryArray.from_arrays(
            pa.array(np.where(is_over, len(words), codes).astype(np.int32)), pa.array([*words, OVERFLOW], pa.string())
        )
        members = pa.array([*(members_text({SAID: word}) for word in words), None], pa.string())
        of_row = pa.array(np.where(is_over, codes, len(words)).astype(np.int32))
        arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
        arrays |= {"namespace": moved, "attributes": prepend(members, of_row, batch.column("attributes"))}
        return pa.RecordBatch.from_arrays(list(arrays.values()), schema=batch.schema)
