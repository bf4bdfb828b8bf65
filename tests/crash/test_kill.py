"""kill -9 at random moments under load: what was acknowledged is there once, followers miss nothing."""

import json
import random
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from tests.crash.followers import Follower
from tests.crash.writers import Fate, Writer
from tests.serving import ServerProcess

WRITERS = 4
SMALL = (
    *("--flush-age", "300ms", "--flush-bytes", "64KB", "--buffer-bytes", "1MB"),
    *("--wal-max-bytes", "2MB", "--log-level", "warning"),
)
FOLLOWED = {"*": None, "namespace:shop": "shop", "namespace:payments": "payments"}


@pytest.mark.timeout(7200)
def test_acknowledged_records_survive_and_followers_are_right(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    rounds = pytestconfig.getoption("--crash-rounds")
    seed = pytestconfig.getoption("--crash-seed") or random.randrange(2**32)
    print(f"to run this again: --crash-rounds {rounds} --crash-seed {seed}")
    chance = random.Random(seed)

    with ServerProcess(tmp_path / "data", *SMALL) as server:
        writers = [Writer(f"w{i}", server.url, f"{seed}-{i}") for i in range(WRITERS)]
        followers = [Follower(server.url, q, is_sse) for q in FOLLOWED for is_sse in (False, True)]
        for follower in followers:
            follower.start()
        for follower in followers:
            assert follower.has_cursor.wait(20), f"no first cursor: {follower.faults}"
        for writer in writers:
            writer.start()
        for _ in range(rounds):
            _crash(server, chance)
        server.wait_until_ready()
        for writer in writers:
            writer.finish()
        for follower in followers:
            follower.finish()

        _check_writers(server, writers)
        _check_followers(followers, writers, _stored(server))


def _crash(server: ServerProcess, chance: random.Random) -> None:
    """Kills within two seconds of work; one time in five again while the server still starts."""
    server.wait_until_ready()
    time.sleep(chance.uniform(0.05, 2.0))
    server.kill()
    server.spawn()
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0.0, 1.5))
        server.kill()
        server.spawn()


def _stored(server: ServerProcess) -> list[str]:
    """All messages by an export, in the order of acceptance."""
    answer = server.query("* | fields _seq, message | sort by _seq", limit=0)
    return [json.loads(line)["message"] for line in answer.text.splitlines()]


def _check_writers(server: ServerProcess, writers: list[Writer]) -> None:
    assert [fault for writer in writers for fault in writer.faults] == []
    before = Counter(_stored(server))
    server.flush()
    assert Counter(_stored(server)) == before
    assert Counter(_in_files(server.data)) == before

    acknowledged = [b for writer in writers for b in writer.fates[Fate.ACKNOWLEDGED]]
    abandoned = [b for writer in writers for b in writer.fates[Fate.ABANDONED]]
    assert len(acknowledged) > 0
    lost = [message for batch in acknowledged for message in batch.messages if before[message] == 0]
    assert lost == []
    doubled = [message for message, count in before.items() if count > 1]
    assert doubled == []
    torn = [b.key for b in abandoned if len({before[message] for message in b.messages}) > 1]
    assert torn == []
    sent = {message for batch in acknowledged + abandoned for message in batch.messages}
    assert before.keys() <= sent


def _check_followers(followers: list[Follower], writers: list[Writer], stored: list[str]) -> None:
    """Each follower holds what is stored and matches, in the same order, and never saw what was not kept."""
    batches = [batch for writer in writers for fate in Fate for batch in writer.fates[fate]]
    namespace_of = {message: batch.namespace for batch in batches for message in batch.messages}
    for follower in followers:
        namespace = FOLLOWED[follower.q]
        expected = [m for m in stored if namespace is None or namespace_of[m] == namespace]
        name = f"{follower.q} {'sse' if follower.is_sse else 'ndjson'}"
        assert follower.faults == [], name
        assert follower.held == expected, name
        assert follower.seen <= set(stored), name


def _in_files(data: Path) -> list[str]:
    """All messages by plain DuckDB over the files."""
    glob = f"{data}/segments/**/*.parquet"
    sql = "select message from read_parquet(?, union_by_name=true, hive_partitioning=true)"
    return [message for (message,) in duckdb.connect().execute(sql, [glob]).fetchall()]
