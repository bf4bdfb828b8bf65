"""The questions about other corpora that are measured mean the same in our language and in DuckDB's."""

from pathlib import Path

import pytest

from bench.brute import Brute
from bench.corpus import Corpus
from bench.query import ask
from bench.questions import are_equal
from bench.variety import ABSENT, KINDS, Kind, asked, generate
from tests.serving import ServerProcess

RECORDS = 3_000


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_the_server_and_brute_force_answer_alike(kind: Kind, tmp_path: Path) -> None:
    source = Corpus(tmp_path / "corpus.ndjson", RECORDS, 1)
    source.path.write_text("".join(generate(kind, RECORDS, 1)), encoding="utf-8")
    with Brute(source, tmp_path / "sorted.parquet") as brute, ServerProcess(tmp_path / "data") as server:
        assert server.post(source.path.read_bytes()).json() == {"accepted": RECORDS, "rejected": []}
        server.flush()
        answered = 0
        for question in asked(kind, RECORDS):
            found, _ = ask(question, server, repeats=1)
            theirs = brute.ask(question.duckdb)
            assert are_equal(found, theirs), f"{question.q}: {found} is not {theirs}"
            answered += found not in ([], [[0]])
        of_what_is_there = set(kind.questions) - {ABSENT}
        assert answered >= len(of_what_is_there) - 1, "all but one have an answer"
