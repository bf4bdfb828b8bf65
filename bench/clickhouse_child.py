"""ClickHouse in a process of its own, run by the Python that has `chdb`: a JSON line in, a JSON line out.

    {"load": FILE, "index": "none"|"words"|"phrases"}  → {"cpu_s", "bytes", "index_bytes", "attributes_bytes"}
    {"ask": SQL, "repeats": 5, "has_cache": false}     → {"first_ms", "median_ms", "rows"}

The table is sorted by (cluster, namespace, pod, container, time), the message compressed with zstd. With "words" it has
a text index of the words in lower case, and once more, in a column of type JSON, the messages that are JSON objects;
with "phrases" the index has the words' positions too. CPU is the process's, from CREATE to the end of OPTIMIZE FINAL;
bytes are what `system.parts` tells of the one part that is left. A time includes writing the rows as JSON text, and
nothing of this protocol. `has_cache` is the query condition cache.
"""

import json
import os
import statistics
import sys
import time
from typing import Any, Final

from chdb.session import Session

THREADS: Final = 2
_COLUMNS: Final = (
    "time DateTime64(9, 'UTC')",
    *(f"{name} LowCardinality(String)" for name in ("cluster", "namespace", "pod", "container", "stream")),
    "message String codec(ZSTD(1))",
)
_LARGE_BLOCKS: Final = "min_insert_block_size_rows = 2000000, min_insert_block_size_bytes = 2000000000"
"""So that a merge has little to do; texts are read as such, and made `LowCardinality` on insert: both save CPU."""
_ATTRIBUTES: Final = "attributes JSON codec(ZSTD(1))"
_OBJECT: Final = "if(startsWith(message, '{') and isValidJSON(message), message, '{}')::JSON"
_WORDS: Final = "index words message type text(tokenizer = 'splitByNonAlpha', preprocessor = lower(message){})"
_POSITIONS: Final = ", support_phrase_search = 1"


def main(directory: str) -> None:
    session = Session(directory)
    session.query(f"set max_threads = {THREADS}, max_insert_threads = {THREADS}")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is no answer
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _load(session, **asked) if "load" in asked else _ask(session, **asked)
        print(json.dumps(answer), file=answers, flush=True)


def _load(session: Session, load: str, index: str) -> dict[str, Any]:
    has_index = index != "none"
    extra = (_ATTRIBUTES, _WORDS.format(_POSITIONS if index == "phrases" else "")) if has_index else ()
    before_s = time.process_time()
    session.query(
        f"create table logs ({', '.join((*_COLUMNS, *extra))}) engine = MergeTree "
        "order by (cluster, namespace, pod, container, time) settings allow_experimental_text_index_phrase_search = 1"
    )
    given = ", ".join(column.partition(" codec")[0] for column in _COLUMNS)
    given = given.replace("LowCardinality(String)", "String").replace("'", "\\'")
    session.query(
        f"insert into logs select *{', ' + _OBJECT if has_index else ''} from file('{load}', JSONEachRow, '{given}') "
        f"settings date_time_input_format = 'best_effort', {_LARGE_BLOCKS}"
    )
    session.query("optimize table logs final")
    spent_s = time.process_time() - before_s
    of_parts = "where database = currentDatabase() and table = 'logs' and active"
    stored, indexes = _rows(
        session, f"select sum(bytes_on_disk), sum(secondary_indices_compressed_bytes) from system.parts {of_parts}"
    )[0]
    column = f"{of_parts} and column = 'attributes'"
    attributes = _rows(session, f"select sum(column_data_compressed_bytes) from system.parts_columns {column}")[0][0]
    return {"cpu_s": spent_s, "bytes": int(stored), "index_bytes": int(indexes), "attributes_bytes": int(attributes)}


def _ask(session: Session, ask: str, repeats: int, has_cache: bool) -> dict[str, Any]:
    session.query(f"set use_query_condition_cache = {int(has_cache)}")
    rows: list[list[Any]] = []
    times_ms = []
    for _ in range(repeats):
        start_s = time.perf_counter()
        text = session.query(ask, "JSONCompactEachRow").data()
        times_ms.append((time.perf_counter() - start_s) * 1000)
        rows = [json.loads(line) for line in text.splitlines()]
    return {"first_ms": times_ms[0], "median_ms": statistics.median(times_ms), "rows": rows}


def _rows(session: Session, sql: str) -> list[list[Any]]:
    return [json.loads(line) for line in session.query(sql, "JSONCompactEachRow").data().splitlines()]


if __name__ == "__main__":
    main(sys.argv[1])
