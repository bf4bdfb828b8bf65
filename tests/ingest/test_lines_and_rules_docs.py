"""docs/lines.md and docs/rules.md: their examples are run, and what they say comes out."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from ingest.lines import asked, lines
from ingest.lines_asked import FORMATS, LANGUAGES, LinesSettings
from ingest.protocols import native
from ingest.request import Head, Request
from ingest.rules import apply
from ingest.rules_file import ACTIONS, rules_of
from ingest.rules_mask import DETECTORS
from ingest.rules_where import Place
from logstore.enrich import enrich, whole
from tests.native.test_enrich_reference import enriched

DOCS = Path(__file__).parents[2] / "docs"
LINES, RULES = (DOCS / "lines.md").read_text(), (DOCS / "rules.md").read_text()
NOW_NS = 1_795_600_000 * 10**9
OF_LINES = re.findall(r"^```lines (.*?)\n(.*?)\n```\n\n```json\n(.*?)^```$", LINES, re.MULTILINE | re.DOTALL)
OF_RULES = re.findall(
    r"^```yaml\n(.*?)^```\n\n```ndjson\n(.*?)^```\n\n```json\n(.*?)^```$", RULES, re.MULTILINE | re.DOTALL
)


def decoded(body: str, head: Head) -> pa.RecordBatch:
    found = native.decode(Request(body.encode(), NOW_NS, head))
    assert found.rejects == ()
    return found.batch


def compare(batch: pa.RecordBatch, expected: str) -> None:
    """Every record has what the page says of it; those of which it tells no attributes or labels have none pushed."""
    told = [json.loads(line) for line in expected.splitlines()]
    times = batch.column("time").cast(pa.string()).to_pylist()
    found = [
        {**record, "time": time.replace(" ", "T") + "Z"}
        for record, time in zip(batch.drop_columns("time").to_pylist(), times, strict=True)
    ]
    assert [shown(record, line) for record, line in zip(found, told, strict=True)] == told


def shown(record: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    objects = {name: json.loads(record[name]) for name in ("attributes", "labels") if record[name]}
    return {name: record[name] for name in told if name in record and name not in ("attributes", "labels")} | objects


@pytest.mark.parametrize(("words", "body", "expected"), OF_LINES)
def test_lines_become_what_the_page_says(words: str, body: str, expected: str) -> None:
    head = Head(params=dict([words.split("=")]), headers={"content-type": "text/plain"})
    wanted = asked(head, native.NAME, LinesSettings())
    compare(lines(decoded(body, head), wanted, now_ns=NOW_NS, max_line_bytes=1 << 24), expected)


def test_lines_tell_the_severity_that_the_page_says() -> None:
    [(said, expected)] = re.findall(r"^```said\n(.*?)\n```\n\n```json\n(.*?)^```$", LINES, re.MULTILINE | re.DOTALL)
    told = [json.loads(line)["severity"] for line in expected.splitlines()]
    assert [severity for _, severity in enriched([(line, None, "") for line in said.splitlines()])] == told


@pytest.mark.parametrize(("rules", "body", "expected"), OF_RULES)
def test_rules_do_what_the_page_says(rules: str, body: str, expected: str) -> None:
    compare(apply(rules_of(yaml.safe_load(rules), Place("docs")), decoded(body, Head())).batch, expected)


def test_the_pages_name_everything_there_is() -> None:
    assert len(OF_LINES) == LINES.count("```lines ") > 3
    assert len(OF_RULES) == RULES.count("```yaml") > 3
    assert [word for word in (*FORMATS, *LANGUAGES) if f"`{word}`" not in LINES and f",{word}" not in LINES] == []
    assert [word for word in DETECTORS if f"| `{word}` |" not in RULES] == []
    assert [word for word in ACTIONS if f"| `{word}: " not in RULES] == []


def test_what_a_rule_parses_is_what_queries_see() -> None:
    rules, body, expected = OF_RULES[-1]
    left = apply(rules_of(yaml.safe_load(rules), Place("docs")), decoded(body, Head())).batch
    assert json.loads(whole(enrich(left)).column("attributes")[0].as_py()) == json.loads(expected)["attributes"]
