"""Segments whose files are damaged: every question that needs them says which file it is, and no other one does."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstore.errors import Damaged
from logstore.settings import StoreSettings
from logstore.store import Store
from query.damage import damage_of
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from tests.execution.records import S_NS, START_NS, append, record

IDS = [f"{at * 7919:08x}" for at in range(2_000)]
FOOTER_SIZE_BYTES = 8


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, row_group_rows=100)
    with Store.open(tmp_path / "data", settings) as opened:
        for namespace in ("shop", "other"):
            lines = [f'{{"level":"info", "id":"{one}", "n":{at}}}' for at, one in enumerate(IDS)]
            append(opened, [record(START_NS + at * S_NS, line, namespace=namespace) for at, line in enumerate(lines)])
        opened.flush()
        yield opened


def path_of(store: Store, namespace: str) -> Path:
    with store.snapshot() as snapshot:
        return next(one.path for one in snapshot.segments if f"namespace={namespace}" in str(one.path))


def in_parts(path: Path) -> tuple[bytes, bytes]:
    """Its content before its footer, and from there on."""
    content = path.read_bytes()
    at = len(content) - FOOTER_SIZE_BYTES - int.from_bytes(content[-FOOTER_SIZE_BYTES:][:4], "little")
    return content[:at], content[at:]


def damage(path: Path) -> None:
    """All of it but the footer."""
    pages, footer = in_parts(path)
    path.write_bytes(pages[:4] + b"\xff\x07" * ((len(pages) - 4) // 2 + 1) + footer)


def rename(path: Path) -> None:
    """Its messages, in the footer."""
    pages, footer = in_parts(path)
    assert footer.count(b"message") > 0
    path.write_bytes(pages + footer.replace(b"message", b"\xffessage"))


def ask(store: Store, engine: Engine, query: str) -> list[dict[str, Any]]:
    with run(store, engine, Request(query)) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


@pytest.mark.parametrize(
    "query",
    [
        "{id}",
        "* | limit 5",
        "* | patterns",
        "* | stats count_distinct(message) as n",
        "* | stats min(message) as s by level",
        'message=~"77.*9" | stats count() as n',
        "n=77",
        f"({' or '.join(IDS[::100])})",
    ],
)
@pytest.mark.parametrize("harm", [damage, rename])
@pytest.mark.parametrize("held_bytes", [24 << 20, 1], ids=["held in memory", "read one after the other"])
def test_a_question_that_needs_a_damaged_file_names_it(
    store: Store,
    engine: Engine,
    query: str,
    harm: Callable[[Path], None],
    held_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("query.picking.PICKED_MAX_BYTES", held_bytes)
    query = query.replace("{id}", IDS[1_234])
    bad = path_of(store, "shop")
    harm(bad)
    with pytest.raises(Damaged, match=f"{bad}.* cannot be read: .*logstore check.*backup"):
        ask(store, engine, query)
    with pytest.raises(Damaged, match=f"{bad}.* cannot be read"):
        explain(store, engine, Request(query), analyze=True)
    assert ask(store, engine, f"namespace=other {query}"), "answered"


def test_a_file_that_is_gone_is_named(store: Store, engine: Engine) -> None:
    bad = path_of(store, "shop")
    bad.unlink()
    for query in ("* | stats sum(n) as s", IDS[5]):
        with pytest.raises(Damaged, match=f"{bad}.* cannot be read"):
            ask(store, engine, query)


def test_the_file_is_found_where_duckdb_does_not_name_it(store: Store) -> None:
    bad = path_of(store, "other")
    damage(bad)
    with store.snapshot() as snapshot:
        files = list(snapshot.segments)
    error = duckdb.InvalidInputException("The width (98) of the bitpacked data exceeds the supported max width")
    found = damage_of(error, files)
    assert found is not None
    assert str(found).startswith(str(bad))
    sound = [file for file in files if file.path != bad]
    assert damage_of(error, sound) is None
    assert damage_of(duckdb.ParserException(str(bad)), files) is None, "a fault of the statement is no damage"
