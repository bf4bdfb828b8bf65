from pathlib import Path

import pytest
import sqlalchemy as sa

from logstore import stream_ids, tables
from logstore.stream_ids import StreamIds
from logstore.tables import Stream

STREAMS: list[Stream] = [("prod", "web", f"pod-{number}", "app", "") for number in range(50)]
ODD: list[Stream] = [("", "", "", "", ""), ("a'b", '"', "\x00 and more", "é漢", '{"k":"v"}'), ("\x00", "", "", "", "")]


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    tables.metadata.create_all(engine)
    return engine


def _added(engine: sa.Engine, ids: StreamIds, streams: list[Stream]) -> tuple[list[Stream], list[int]]:
    with engine.begin() as connection:
        return ids.add(connection, streams), [ids[stream] for stream in streams]


def test_a_stream_has_one_id_whoever_asks(engine: sa.Engine) -> None:
    first, second = StreamIds(), StreamIds()
    new, ids = _added(engine, first, STREAMS[:30] + ODD)
    assert new == STREAMS[:30] + ODD
    assert len(set(ids)) == len(ids)
    assert _added(engine, first, ODD) == ([], ids[30:])
    later, others = _added(engine, second, ODD + STREAMS)
    assert later == STREAMS[30:]
    assert others[:33] == ids[30:] + ids[:30]
    assert set(others[33:]).isdisjoint(ids)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(tables.streams)).all()
    assert {tuple(row[1:]): row[0] for row in rows} == dict(zip(ODD + STREAMS, others, strict=True))


def test_what_is_remembered_is_bounded(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_ids, "REMEMBERED_MAX", 20)
    ids = StreamIds()
    _, found = _added(engine, ids, STREAMS[:15])
    assert _added(engine, ids, STREAMS[10:25])[1][:5] == found[10:]
    with pytest.raises(KeyError):
        ids[STREAMS[0]]
    assert _added(engine, ids, STREAMS[:15]) == ([], found)
