"""The questions that are asked of the server, of plain DuckDB and of ClickHouse, each in the best form of its language.

DuckDB reads JSON fields out of the text of the message. ClickHouse is asked by the functions that its text index
answers (`hasAllTokens`, `hasPhrase`) wherever they mean the same, and by the typed subcolumns of its JSON column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.corpus import PHRASE, RARE_WORD, START_NS

HOUR_NS: Final = 3600 * 1_000_000_000
SUBSTRING: Final = "dfs.FSName"
_IN_WORDS: Final = r"[\pL\pN_]"


@dataclass(frozen=True, slots=True)
class Question:
    """One question in three languages; the answers are lists of rows and equal but for their order.

    `clickhouse` is '' where ClickHouse has no such question. `share` is what the server may take, as a share of brute
    force. `brute` is timed instead of `duckdb` where that is no fair baseline.
    """

    name: str
    share: float
    q: str
    duckdb: str
    clickhouse: str
    params: tuple[tuple[str, int], ...] = ()
    brute: str = ""


def questions(trace: str, address: str, pod: str) -> list[Question]:
    """About a trace id and an IP address that hardly any other record has, and a pod that wrote much."""
    return [*_of_texts(trace, address), *_of_streams(pod), *_of_json(), _patterns()]


def _of_texts(trace: str, address: str) -> Iterable[Question]:
    yield Question("count all", 1.0, "* | stats count() as n", _count(), _count())
    yield Question(
        "a trace id",
        0.02,
        f"{trace} | fields message",
        f"select message from logs where message like '%{trace}%'",
        f"select message from logs where hasAllTokens(message, '{trace}')",
    )
    yield Question(
        "an IP address",
        0.02,
        f'"{address}" | fields message',
        f"select message from logs where message like '%{address} %'",
        f"select message from logs where hasPhrase(message, '{address}')",
    )
    yield Question(
        "a rare word, counted",
        0.04,
        f"{RARE_WORD} | stats count() as n",
        _count(f"message ilike '%{RARE_WORD}%'"),
        _count(f"hasAllTokens(message, '{RARE_WORD}')"),
    )
    yield Question(
        "a phrase, any case, counted",
        0.1,
        f'"{PHRASE}" | stats count() as n',
        _count(f"message ilike '%{PHRASE}%'"),
        _count(f"hasPhrase(message, '{PHRASE}')"),
    )
    contains = _count(f"message like '%{SUBSTRING}%'")
    yield Question("substring, counted", 0.5, f'message*="{SUBSTRING}" | stats count() as n', contains, contains)
    pattern = r"status: [45]\d\d"
    yield Question(
        "regex, counted",
        0.8,
        f"message=~`{pattern}` | stats count() as n",
        _count(f"regexp_matches(message, '{pattern}')"),
        _count(f"match(message, '{_escaped(pattern)}')"),
    )
    pattern = f'"{RARE_WORD} handled /[a-z]+'
    yield Question(
        "regex with a rare word, counted",
        0.1,
        f"message=~`{pattern}` | stats count() as n",
        _count(f"regexp_matches(message, '{pattern}')"),
        _count(f"hasAllTokens(message, '{RARE_WORD}') and match(message, '{pattern}')"),
    )
    is_word = f"regexp_matches(message, '(?i)(^|[^{_IN_WORDS[1:-1]}])error([^{_IN_WORDS[1:-1]}]|$)')"
    yield Question(
        "newest 100 of a common word",
        0.08,
        "error | fields message",
        f"select message from logs where {is_word} order by time desc limit 100",
        "select message from logs where hasAllTokens(message, 'error') order by time desc limit 100",
        (("limit", 100),),
    )


def _of_streams(pod: str) -> Iterable[Question]:
    start_ns, end_ns = START_NS + HOUR_NS, START_NS + 2 * HOUR_NS
    last_rows = "order by time desc limit 1000"
    in_duckdb = f"epoch_ns(time) >= {start_ns} and epoch_ns(time) < {end_ns}"
    in_clickhouse = f"time >= fromUnixTimestamp64Nano({start_ns}) and time < fromUnixTimestamp64Nano({end_ns})"
    yield Question(
        "one pod, one hour, 1,000 lines",
        0.8,
        f'pod="{pod}" | fields message',
        f"select message from logs where pod = '{pod}' and {in_duckdb} {last_rows}",
        f"select message from logs where pod = '{pod}' and {in_clickhouse} {last_rows}",
        (("start", start_ns), ("end", end_ns), ("limit", 1_000)),
    )
    yield Question(
        "histogram, 5 min by stream",
        1.0,
        "* | stats count() as n by bucket(5m), stream | sort by time, stream | fields stream, n",
        "select stream, count(*) from logs group by time_bucket(interval 5 minutes, time), stream "
        "order by time_bucket(interval 5 minutes, time), stream",
        "select stream, count() from logs group by toStartOfFiveMinutes(time) as part, stream order by part, stream",
    )
    top = "from logs where stream = 'stderr' group by pod order by count(*) desc, pod limit 10"
    yield Question(
        "ten pods with most stderr",
        0.6,
        'stream="stderr" | top 10 pod | fields pod, count',
        f"select pod, count(*) {top}",
        f"select pod, count(*) {top}",
    )


def _of_json() -> Iterable[Question]:
    text = "json_extract_string(message, '$.{}')".format
    is_object = "message like '{%'"
    status, user, duration = "attributes.status.:Int64", "attributes.user.:String", "attributes.duration_ms.:Float64"
    yield Question(
        "JSON: count by status",
        0.1,
        "path:* status:* | stats count() as n by status | sort by status",
        f"select {text('status')}, count(*) from logs where {is_object} group by all order by 1",
        f"select {status} as status, count() from logs where status is not null group by status order by status",
    )
    yield Question(
        "JSON: distinct users",
        0.1,
        "user:* | stats count_distinct(user) as n",
        f"select count(distinct {text('user')}) from logs where {is_object}",
        f"select uniqExact({user}) from logs",
    )
    yield Question(
        "JSON: p99 of duration",
        0.1,
        "duration_ms:* | stats p99(duration_ms) as p",
        f"select quantile_cont({text('duration_ms')}::double, 0.99) from logs where {is_object}",
        f"select quantileExactInclusive(0.99)({duration}) from logs",
    )


def _patterns() -> Question:
    """Nobody else has patterns: what is timed is a count with a filter on the message, for which each one is read."""
    return Question(
        "ten most frequent patterns",
        0.15,
        "* | patterns 10 | fields pattern, count",
        f"select regexp_replace(message, '{_IN_WORDS}*[0-9]{_IN_WORDS}*', '<*>', 'g') as pattern, count(*) as n "
        "from logs group by pattern order by n desc, min(time) limit 10",
        "",
        brute=_count(f"message like '%{SUBSTRING}%'"),
    )


def are_equal(ours: Iterable[Sequence[object]], theirs: Iterable[Sequence[object]]) -> bool:
    """The same rows in some order, numbers to six digits."""
    return _texts(ours) == _texts(theirs)


def _texts(rows: Iterable[Sequence[object]]) -> list[list[str]]:
    return sorted([f"{value:.6g}" if isinstance(value, float) else str(value) for value in row] for row in rows)


def _count(condition: str = "") -> str:
    return f"select count(*) from logs where {condition}" if condition else "select count(*) from logs"


def _escaped(pattern: str) -> str:
    """For a string literal of ClickHouse, in which a backslash escapes."""
    return pattern.replace("\\", "\\\\")
