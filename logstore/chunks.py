"""Column chunks that were read a moment ago, in memory: questions for the newest records ask for the same ones again
and again, and to read few records of a row group is to read its columns. Segments never change, so neither do these."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import pyarrow as pa

KEPT_BYTES: Final = 16 << 20
LARGEST_SHARE: Final = 16
"""A chunk of more than this part of all is not kept."""
_KEY_BYTES: Final = 256
"""What a chunk counts for besides its values."""

Read: TypeAlias = Callable[[Sequence[int], Collection[str]], pa.Table]
"""Those of these columns of a file, of these row groups, that there are."""
_Key: TypeAlias = tuple[str, int, str]
"""A file, a row group, a column."""


class Chunks:
    """At most so many bytes of them; those that were asked for longest ago go first. Thread-safe."""

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, pa.ChunkedArray | None] = OrderedDict()
        """None: the file has no such column."""
        self._bytes = 0
        self._loads = 0

    def read(self, path: Path, read: Read, groups: Sequence[int], names: Collection[str]) -> pa.Table:
        """Those of these columns that the file has, of these row groups; `read` is asked for what is not here."""
        return pa.concat_tables([self._of_group(str(path), group, sorted(names), read) for group in groups])

    def readings(self) -> dict[str, float]:
        """The numbers for /metrics."""
        with self._lock:
            return {"chunk_cache_bytes": self._bytes, "chunk_loads": self._loads}

    def _of_group(self, path: str, group: int, names: list[str], read: Read) -> pa.Table:
        with self._lock:
            known = {name: self._kept[key] for name in names if (key := (path, group, name)) in self._kept}
            for name in known:
                self._kept.move_to_end((path, group, name))
        missing = [name for name in names if name not in known]
        if missing:
            table = read([group], missing)
            known |= {name: table[name] if name in table.column_names else None for name in missing}
            self._keep({(path, group, name): known[name] for name in missing})
        return pa.table({name: known[name] for name in names if known[name] is not None})

    def _keep(self, new: dict[_Key, pa.ChunkedArray | None]) -> None:
        with self._lock:
            self._loads += len(new)
            for key, chunk in new.items():
                if key in self._kept or _bytes_of(chunk) > self._max_bytes // LARGEST_SHARE:
                    continue
                self._kept[key] = chunk
                self._bytes += _bytes_of(chunk)
            while self._bytes > self._max_bytes:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= _bytes_of(gone)


def _bytes_of(chunk: pa.ChunkedArray | None) -> int:
    return _KEY_BYTES + (int(chunk.get_total_buffer_size()) if chunk is not None else 0)
