"""How many namespaces may be new in an hour. Each is a directory with files of its own, and a sender that names one for
each record, by mistake or not, would make flushes and queries slow for all. Records of those that are too many come
into one namespace, `_overflow`, where the attribute `_namespace` tells what they said. Where their cluster is one that
nothing else is in, they come into the cluster `_overflow` too, and `_cluster` tells theirs.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Final

import numpy as np
import pyarrow as pa
import structlog

from ingest.exact_json import members_text
from ingest.request import Limits
from ingest.rows import Groups, dictionary
from logstore.attributes import prepend
from logstore.catalog import Partition

log = structlog.get_logger("ingest.namespaces")

OVERFLOW: Final = "_overflow"
SAID: Final = ("_cluster", "_namespace")
HOUR_S: Final = 3600.0
_TRIED_MAX: Final = 64


class Namespaces:
    """The (cluster, namespace) pairs that there are. All methods are safe in any thread."""

    def __init__(
        self, known: Iterable[Partition], new_an_hour: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._known = set(known)
        self._clusters = {cluster for cluster, _ in self._known}
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

    def admit(self, batch: pa.RecordBatch, limits: Limits) -> pa.RecordBatch:
        """The records, those of namespaces that are too many in `_overflow`.

        Raises:
            TooLarge: what they said, put into each, is too much text.
        """
        columns = batch.column("cluster"), batch.column("namespace")
        clusters, namespaces = (column.dictionary.to_pylist() for column in columns)
        if len(clusters) * len(namespaces) <= _TRIED_MAX and self._known.issuperset(product(clusters, namespaces)):
            return batch
        cluster, namespace = (column.indices.to_numpy().astype(np.int64) for column in columns)
        pairs, which = np.unique(cluster * len(namespaces) + namespace, return_inverse=True)
        named = [(clusters[code // len(namespaces)], namespaces[code % len(namespaces)]) for code in pairs.tolist()]
        placed = [self._place_of(pair) for pair in named]
        return batch if placed == named else self._moved(batch, named, placed, which.astype(np.int32), limits)

    def _place_of(self, pair: Partition) -> Partition:
        with self._lock:
            if self._is_admitted(pair):
                return pair
            return pair[0] if pair[0] in self._clusters else OVERFLOW, OVERFLOW

    def _is_admitted(self, pair: Partition) -> bool:
        if pair in self._known:
            return True
        if self._clock_s() - self._hour >= HOUR_S:
            self._hour, self._new = self._clock_s(), 0
        self._new += 1
        if self._new <= self._new_an_hour:
            self._known.add(pair)
            self._clusters.add(pair[0])
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

    def _moved(
        self,
        batch: pa.RecordBatch,
        named: Sequence[Partition],
        placed: Sequence[Partition],
        which: Groups,
        limits: Limits,
    ) -> pa.RecordBatch:
        """The records where they are placed, with what they said; `which` tells of each its pair."""
        said = [members_text(_said(*both)) for both in zip(named, placed, strict=True)]
        limits.check_text(int(np.array([len(members or "") for members in said], np.int64)[which].sum()))
        with self._lock:
            self._overflowed += int(np.count_nonzero(np.array([members is not None for members in said])[which]))
        arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
        arrays |= {
            "cluster": dictionary([cluster for cluster, _ in placed], which),
            "namespace": dictionary([namespace for _, namespace in placed], which),
            "attributes": prepend(pa.array(said, pa.string()), pa.array(which), batch.column("attributes")),
        }
        return pa.RecordBatch.from_arrays(list(arrays.values()), schema=batch.schema)


def _said(named: Partition, placed: Partition) -> dict[str, str]:
    """What records said of where they are, as far as they are elsewhere."""
    return {name: said for name, said, found in zip(SAID, named, placed, strict=True) if said != found}
