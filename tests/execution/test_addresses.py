"""Four numbers in a row, such as an IP address, whose numbers are in all row groups: those without it are left out, and
none that has it, whatever version of index tells."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest

from logstore import index, tokens
from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.misses import Misses
from query.remembered import Answers
from query.request import Request
from tests.execution.records import S_NS, START_NS, append, record

NUMBERS = range(16)
GROUPS = len(NUMBERS) ** 2 // 32
"""Each number is in all of them, as each of the four."""
SOUGHT = ('"10.3.7.3"', '"client 10.3.7.3:80"', 'message*=" 10.3.7.3:"', r'message=~"t 10\\.3\\.7\\.3:8"')


def text(one: int, other: int) -> str:
    return f"client 10.{one}.{other}.{one}:80 at ip-10-{other}-{one}-{other}.local"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, row_group_rows=32)
    with Store.open(tmp_path / "data", settings) as opened:
        texts = [text(one, (one + step) % 16) for step in NUMBERS for one in NUMBERS]
        append(opened, [record(START_NS + at * S_NS, message) for at, message in enumerate(texts)])
        opened.flush()
        yield opened


def asked(store: Store, engine: Engine, query: str) -> tuple[list[str], int]:
    """The messages that are found, and how many row groups were left out by words."""
    engine.answers, engine.misses = Answers(), Misses()
    with run(store, engine, Request(f"{query} | fields message")) as answer:
        found = [json.loads(line)["message"] for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]
    engine.answers, engine.misses = Answers(), Misses()
    stages = {stage["stage"]: stage for stage in explain(store, engine, Request(query))["stages"]}
    return found, sum(stages["words"]["skipped"].values())


@pytest.mark.parametrize("query", SOUGHT)
def test_row_groups_without_the_address_are_left_out(store: Store, engine: Engine, query: str) -> None:
    assert asked(store, engine, query) == ([text(3, 7)], GROUPS - 1)


def test_numbers_joined_by_dashes_are_one_as_well(store: Store, engine: Engine) -> None:
    assert asked(store, engine, '"ip-10-7-3-7"') == ([text(3, 7)], GROUPS - 1)
    assert asked(store, engine, '"10-3-7-4"') == ([], GROUPS)


def test_what_an_open_end_may_go_on_leaves_out_nothing(store: Store, engine: Engine) -> None:
    expected = {text(3, 1), *(text(3, other) for other in range(10, 16))}
    found, skipped = asked(store, engine, 'message*="t 10.3.1"')
    assert set(found) == expected
    assert skipped == 0


@pytest.mark.parametrize("version", [2, 3, 4])
def test_indexes_of_before_have_no_addresses(store: Store, engine: Engine, version: int) -> None:
    """Their filters have words alone."""
    (segment,) = store.snapshot().segments
    (built,) = store.indexes.load([segment]) or []
    words = [message.replace(".", " ").replace("-", " ") for message in asked(store, engine, "*")[0]]
    no_attributes: pa.StringArray = pa.nulls(len(words), pa.string())
    filters, _ = tokens.build(pa.array(words), no_attributes, [], built.ends, bytes(16))
    content = index.encode(
        replace(built, filter_offsets=filters.offsets, filters=np.frombuffer(filters.content, np.uint8))
    )
    store.directory.write_index(segment.path, content if version == 4 else as_version(version, content))
    store.indexes.forget([segment])
    for query in SOUGHT:
        expected = ([], GROUPS) if version == 4 else ([text(3, 7)], 0)
        assert asked(store, engine, query) == expected


def as_version(version: int, content: bytes) -> bytes:
    """An index file as it was written before filters had versions: version 3 has a flag in their place, 2 nothing."""
    magic, _, _, size = index._HEAD.unpack_from(content)
    start = index._HEAD.size + size
    header = json.loads(content[index._HEAD.size : start])
    facts = pa.Codec("zstd").decompress(content[start : start + header["bytes"]], header["plain_bytes"]).to_pybytes()
    kept, plain, at = [], b"", 0
    for name, dtype, count in header["facts"]:
        values = np.frombuffer(facts, np.dtype(dtype), count, at)
        at += values.nbytes
        if name == "filter_versions" and version == 2:
            continue
        if name == "filter_versions":
            name, values = "has_numbers", np.ones(count, np.bool_)
        kept.append([name, values.dtype.str, count])
        plain += values.tobytes()
    packed = pa.Codec("zstd").compress(plain, asbytes=True)
    told = json.dumps({"facts": kept, "plain_bytes": len(plain), "bytes": len(packed)}).encode()
    body = told + packed + content[start + header["bytes"] :]
    return index._HEAD.pack(magic, version, google_crc32c.value(body), len(told)) + body
