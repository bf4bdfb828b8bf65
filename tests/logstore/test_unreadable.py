"""Whatever bit of a segment's pages flips, reading all of it either fails or gives what was written."""

import random
from pathlib import Path

import pytest

from logstore import segment as segments
from logstore.errors import Damaged
from logstore.settings import StoreSettings
from logstore.store import Store
from tests.execution.records import S_NS, START_NS, append, record

FOOTER_SIZE_BYTES = 8


@pytest.mark.parametrize("kind", ["flushed", "joined"])
def test_a_bit_that_flips_never_changes_records(tmp_path: Path, kind: str) -> None:
    settings = StoreSettings(row_group_rows=200, join_files=2, flush_age_s=3_600, compact_interval_s=3_600)
    with Store.open(tmp_path, settings) as store:
        for key in ("user", "order"):
            lines = [f'{{"level":"info","n":{at},"{key}":"{at % 7}","share":{at / 7}}}' for at in range(500)]
            append(store, [record(START_NS + at * S_NS, line) for at, line in enumerate(lines)])
            store.flush()
        if kind == "joined":
            assert store.compact() == 1
        segment = store.snapshot().segments[0]
        content = segment.path.read_bytes()
        written = segments.read_columns(segment)
        pages_end = len(content) - FOOTER_SIZE_BYTES - int.from_bytes(content[-FOOTER_SIZE_BYTES:][:4], "little")
        chance = random.Random(7)
        found = 0
        for _ in range(300):
            flipped = bytearray(content)
            flipped[chance.randrange(4, pages_end)] ^= 1 << chance.randrange(8)
            segment.path.write_bytes(flipped)
            try:
                assert segments.read_columns(segment).equals(written)
            except Damaged as damaged:
                assert str(damaged).startswith(str(segment.path))
                found += 1
        assert found > 200
        segment.path.write_bytes(content)
