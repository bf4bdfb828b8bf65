"""The questions that are measured mean the same in our language and in DuckDB's."""

from collections.abc import Iterator

import pytest

from bench.brute import Brute
from bench.corpus import Corpus, generate
from bench.query import ask, asked
from bench.questions import are_equal, questions
from tests.serving import ServerProcess

RECORDS = 3_000
SEED = 2
"""Its rare word stands in a line of an app, which one of the questions is about."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, Brute]]:
    """A server that has a small corpus in segments, and the file of the same records."""
    directory = tmp_path_factory.mktemp("bench")
    source = Corpus(directory / "corpus.ndjson", RECORDS, SEED)
    source.path.write_text("".join(generate(RECORDS, SEED)), encoding="utf-8")
    with Brute(source, directory / "sorted.parquet") as brute, ServerProcess(directory / "data") as server:
        assert server.post(source.path.read_bytes()).json() == {"accepted": RECORDS, "rejected": []}
        server.flush()
        yield server, brute


@pytest.mark.parametrize("name", [question.name for question in questions("", "", "")])
def test_the_server_and_brute_force_answer_alike(name: str, filled: tuple[ServerProcess, Brute]) -> None:
    server, brute = filled
    question = next(question for question in asked(brute) if question.name == name)
    found, _ = ask(question, server, repeats=1)
    theirs = brute.ask(question.duckdb)
    assert are_equal(found, theirs), f"{found} is not {theirs}"
    assert found not in ([], [[0]])


def test_rows_are_compared_without_their_order_and_numbers_to_six_digits() -> None:
    assert are_equal([["b", 2], ["a", 1.0]], [("a", 1.0000001), ("b", 2)])
    assert not are_equal([["a", 1]], [("a", 1), ("a", 1)])
    assert not are_equal([["a", 1.0]], [("a", 1.0001)])
