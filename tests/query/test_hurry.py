"""Who waits for a short answer has its turns sooner, and only as long."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from logstore.store import Store
from query.engine import Engine
from query.hurry import SWITCH_S
from query.settings import Size


def near(seconds: float) -> bool:
    return abs(sys.getswitchinterval() - seconds) < 1e-6


def test_turns_are_short_while_a_short_question_is_asked(store: Store) -> None:
    engine = Engine(store.directory.segments, store.directory.root / "spill")
    usual_s = sys.getswitchinterval()
    together = Barrier(2)

    def ask() -> bool:
        with engine.session() as session:
            together.wait(20)
            session.execute("SELECT 1")
            is_hurried = near(SWITCH_S)
            together.wait(20)
            return is_hurried

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(ask), threads.submit(ask)
        assert first.result() and second.result()
    assert near(usual_s)
    with engine.session(Size.LARGE):
        assert near(usual_s)
    with engine.session() as session:
        assert near(SWITCH_S) and session.enlarge() and near(usual_s)
    assert near(usual_s)
    engine.close()
