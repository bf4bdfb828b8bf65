"""Verdicts that are remembered fit the templates of the query that asks, whatever others asked before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from logstore.numbering import Texts
from query.engine import Engine
from query.parser import parse
from query.settings import Size
from query.verdicts import combine, leaves

TEXTS = ["error in \x1a", "all is well", "an error", "\x1a errors"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "segments", tmp_path / "spill")
    yield engine
    engine.close()


def first(count: int) -> Texts:
    return Texts(
        0, 0, (pa.array(TEXTS[:count], pa.string()),), np.arange(count, dtype=np.int64), np.zeros(count, np.int64)
    )


@pytest.mark.parametrize("counts", [(4, 2), (2, 4), (0, 4, 1), (3, 3)])
def test_a_query_gets_verdicts_on_its_own_templates(engine: Engine, counts: tuple[int, ...]) -> None:
    condition = parse("error pod=web").filter
    asked = leaves([condition])
    for count in counts:
        with engine.session(Size.TAIL) as session:
            known = engine.verdicts.of(session, asked, first(count))
        (verdict,) = known.values()
        assert verdict.must.tolist() == [*[True, False, True, False][:count], False]
        assert verdict.may.tolist() == [*[True, False, True, False][:count], True]
        assert len(combine(condition, known, count).may) == count + 1
