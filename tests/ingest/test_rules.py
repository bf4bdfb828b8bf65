"""Rules: which records they mean, what they do to them, and the file they stand in."""

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols import native
from ingest.request import Request
from ingest.rules import Applied, Rules, apply
from ingest.rules_file import FILE_MAX_BYTES, RULES_MAX, read_rules, rules_of
from ingest.rules_where import Place
from logstore.enrich import enrich, whole
from logstore.errors import InvalidSettings

NOW_NS = 1_795_600_000 * 10**9
RECORDS: list[dict[str, Any]] = [
    {"id": 0, "pod": "web-0", "container": "app", "message": "GET /healthz 200", "labels": {"team": "shop"}},
    {"id": 1, "pod": "web-1", "container": "app", "message": "boom", "level": "error", "user": "ann"},
    {"id": 2, "pod": "pay-0", "namespace": "pay", "message": '{"level":"debug","status":404,"ok":true}'},
    {"id": 3, "pod": "pay-1", "namespace": "pay", "message": "level=warn msg=slow user=ann"},
    {"id": 4, "stream": "stderr", "message": "Größe a*b", "labels": {"team": "ops", "tier": "1"}, "trace_id": "t1"},
]


def batch_of(records: list[dict[str, Any]]) -> pa.RecordBatch:
    body = "\n".join(json.dumps(record) for record in records).encode()
    decoded = native.decode(Request(body, NOW_NS))
    assert decoded.rejects == ()
    return decoded.batch


def ruled(text: str, records: list[dict[str, Any]]) -> Applied:
    return apply(rules_of(yaml.safe_load(text), Place("rules")), batch_of(records))


def ids(batch: pa.RecordBatch) -> list[int]:
    return [json.loads(text)["id"] for text in whole(enrich(batch)).column("attributes").to_pylist()]


CONDITIONS = [
    ("{}", [0, 1, 2, 3, 4]),
    ("{pod: web-0}", [0]),
    ("{pod: 'web-*'}", [0, 1]),
    ("{pod: ['web-?', 'pay-[1]']}", [0, 1, 3]),
    ("{pod: ''}", [4]),
    ("{namespace: pay, pod: '*-0'}", [2]),
    ("{cluster: default, stream: stderr}", [4]),
    ("{container: app}", [0, 1]),
    ("{severity: error}", [1]),
    ("{severity: [error, debug]}", [1, 2]),
    ("{severity: {at_least: warn}}", [1, 3]),
    ("{severity: {at_most: debug}}", [2]),
    ("{severity: ''}", [0, 4]),
    ("{message: healthz}", [0]),
    ("{message: [healthz, oo]}", [0, 1]),
    ("{message: 'a*b'}", [4]),
    ("{message: {equals: boom}}", [1]),
    ("{message: {regex: '^(boom|GET)'}}", [0, 1]),
    ("{message: [{contains: ß}, {equals: boom}]}", [1, 4]),
    ("{attributes: {user: ann}}", [1, 3]),
    ("{attributes: {status: 404}}", [2]),
    ("{attributes: {status: '404', ok: true}}", [2]),
    ("{attributes: {status: [200, 404]}}", [2]),
    ("{attributes: {user: {regex: '^a'}}}", [1, 3]),
    ("{attributes: {none: x}}", []),
    ("{labels: {team: '*'}}", [0, 4]),
    ("{labels: {team: ops, tier: 1}}", [4]),
    ("{any: [{pod: web-0}, {message: slow}]}", [0, 3]),
    ("{not: {pod: '*-?'}}", [4]),
    ("{not: {any: [{pod: 'web-*'}, {namespace: pay}]}, message: Größe}", [4]),
]


@pytest.mark.parametrize(("where", "expected"), CONDITIONS)
def test_a_condition_holds_for_the_records_that_it_describes(where: str, expected: list[int]) -> None:
    applied = ruled(f"rules: [{{where: {where}, drop: true}}]", RECORDS)
    assert [at for at in range(len(RECORDS)) if at not in ids(applied.batch)] == expected
    assert (applied.counts[0].matched, applied.counts[0].dropped) == (len(expected), len(expected))


def test_what_is_kept_is_not_dropped_by_later_rules_but_masked() -> None:
    rules = """
    rules:
      - {where: {severity: {at_least: warn}}, keep: true}
      - {drop: true}
      - {mask: {regex: o+}}
    """
    applied = ruled(rules, RECORDS)
    assert ids(applied.batch) == [1, 3]
    assert applied.batch.column("message").to_pylist() == ["b[masked]m", "level=warn msg=sl[masked]w user=ann"]
    assert [(count.matched, count.dropped, count.changed) for count in applied.counts] == [
        (2, 0, 0),
        (5, 3, 0),
        (2, 0, 2),
    ]


def test_a_later_rule_sees_what_an_earlier_one_made() -> None:
    rules = """
    rules:
      - {where: {pod: 'pay-*'}, labels: {team: money}}
      - {where: {labels: {team: money}}, namespace: audit}
      - {where: {namespace: audit}, mask: {regex: ann, with: X}}
      - {where: {attributes: {user: ann}}, drop: true}
    """
    left = ruled(rules, RECORDS).batch
    assert ids(left) == [0, 2, 3, 4]
    assert left.column("namespace").to_pylist() == ["default", "audit", "audit", "default"]
    labels = [json.loads(text) if text else None for text in left.column("labels").to_pylist()]
    assert labels == [{"team": "shop"}, {"team": "money"}, {"team": "money"}, {"team": "ops", "tier": "1"}]
    assert left.column("message").to_pylist()[2] == "level=warn msg=slow user=X"


def test_labels_win_over_those_that_are_there_and_stay_sorted() -> None:
    left = ruled("rules: [{labels: {team: x, a: b}}]", RECORDS).batch
    assert left.column("labels").to_pylist()[4] == '{"a":"b","team":"x","tier":"1"}'
    assert left.column("labels").to_pylist()[1] == '{"a":"b","team":"x"}'


def test_a_sample_is_a_share_and_always_the_same_one() -> None:
    many = [{"id": at, "time": 1_700_000_000 + at // 7, "message": f"line {at % 3}"} for at in range(20_000)]
    first = ids(ruled("rules: [{sample: 10%}]", many).batch)
    assert 1_800 < len(first) < 2_200
    assert ids(ruled("rules: [{sample: 0.1}]", many).batch) == first
    assert set(first) < set(ids(ruled("rules: [{sample: 20%}]", many).batch))
    assert ids(ruled("rules: [{sample: 0}]", many).batch) == []
    assert len(ids(ruled("rules: [{sample: 100%}]", many).batch)) == 20_000


def test_a_sample_by_trace_keeps_whole_traces() -> None:
    many = [{"id": at, "trace_id": f"trace {at % 500}", "message": f"line {at}"} for at in range(5_000)]
    left = ids(ruled("rules: [{sample: {share: 30%, by: trace_id}}]", many).batch)
    traces = {at % 500 for at in left}
    assert 100 < len(traces) < 200
    assert left == [at for at in range(5_000) if at % 500 in traces]


ACCESS = [
    (
        '10.0.0.1 - ann [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.0" 200 2326',
        {"client": "10.0.0.1", "user": "ann", "method": "GET", "path": "/a?b=1", "protocol": "HTTP/1.0"}
        | {"status": 200, "bytes": 2326},
    ),
    (
        'shop.io:443 ::1 - - [10/Oct/2000:13:55:36 +0000] "POST /x HTTP/2.0" 499 - "http://é/" "curl \\"8\\"" 0.003',
        {"vhost": "shop.io:443", "client": "::1", "method": "POST", "path": "/x", "protocol": "HTTP/2.0"}
        | {"status": 499, "referer": "http://é/", "user_agent": 'curl \\"8\\"'},
    ),
    (
        '10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "\\x16\\x03" 400 0 "-" "-"',
        {"client": "10.0.0.1", "request": "\\x16\\x03", "status": 400, "bytes": 0},
    ),
    ('10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 20 1', {}),
    ('10.0.0.1 - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1', {}),
    ('10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1', {}),
    ("", {}),
    ("plain", {}),
    ("a b c [", {}),
    ('a b c [] "', {}),
    ('a b c [] "" ', {}),
    ('a b c [] "\\', {}),
    ('a b c [] "" 200', {}),
    ('a b c [] "" 200 ', {}),
    ('a b c [] "" 200 -', {"client": "a", "user": "c", "status": 200}),
]


@pytest.mark.parametrize(("line", "expected"), ACCESS)
def test_an_access_log_has_attributes_with_types(line: str, expected: dict[str, object]) -> None:
    applied = ruled("rules: [{where: {pod: p}, parse: access}]", [{"pod": p, "message": line} for p in "pq"])
    told = [json.loads(text or "{}") for text in applied.batch.column("attributes").to_pylist()]
    assert told == [expected, {}]
    assert applied.counts[0].changed == bool(expected)


def test_what_was_pushed_wins_over_an_access_log() -> None:
    applied = ruled("rules: [{parse: access}]", [{"status": "mine", "message": ACCESS[0][0]}])
    assert json.loads(applied.batch.column("attributes")[0].as_py()) == {**ACCESS[0][1], "status": "mine"}


WRONG = [
    ("[]", "must hold one key, `rules`"),
    ("rules: 5", "a list of at most 200"),
    ("rules: [5]", "rule 1: must be a mapping"),
    ("rules: [{drop: true}, {drop: yes please}]", "rule 2: drop: must be true"),
    ("rules: [{where: {}}]", "rule 1: must have exactly one of drop, keep"),
    ("rules: [{drop: true, keep: true}]", "for two actions write two rules"),
    ("rules: [{dorp: true}]", "unknown key 'dorp'; there are name, where, drop"),
    ("rules: [{name: a, drop: true}, {name: a, drop: true}]", "two rules are called 'a'"),
    ("rules: [{name: 5, drop: true}]", "a name is a text of 1 to 100"),
    ("rules: [{where: shop, drop: true}]", "where: must be a mapping"),
    ("rules: [{where: {podd: x}, drop: true}]", "unknown condition 'podd'; there are cluster, namespace"),
    ("rules: [{where: {pod: []}, drop: true}]", "where: pod: must have 1 to 1000"),
    ("rules: [{where: {severity: loud}, drop: true}]", "severity: 'loud' is none of trace, debug"),
    ("rules: [{where: {severity: {over: warn}}, drop: true}]", "must be a severity, a list of them"),
    ("rules: [{where: {message: {regex: '(?<!a)b'}}, drop: true}]", "message: no regular expression that RE2 takes"),
    ("rules: [{where: {message: {like: b}}, drop: true}]", "unknown test 'like'"),
    ("rules: [{where: {message: null}, drop: true}]", "must be a text or a number, not NoneType"),
    ("rules: [{where: {attributes: x}, drop: true}]", "must be a mapping of keys to values"),
    ("rules: [{where: {any: []}, drop: true}]", "must have 1 to 1000"),
    ("rules: [{sample: 110%}]", "sample: '110%' is no share"),
    ("rules: [{sample: true}]", "True is no share"),
    ("rules: [{sample: {share: 0.1, by: pod}}]", "`by` is record or trace_id"),
    ("rules: [{mask: [card, cart]}]", "unknown detector 'cart'; there are all, card"),
    ("rules: [{mask: {regex: '(a', with: b}}]", "mask: regex: no regular expression"),
    ("rules: [{mask: {regex: '(a)', with: '\\2'}}]", "`with` does not fit the regex"),
    ("rules: [{mask: {regex: a, with: 5}}]", "`with` does not fit the regex"),
    ("rules: [{mask: {regex: a, with: " + "x" * 101 + "}}]", "`with` is longer than 100 characters"),
    ("rules: [{labels: {a: 1}}]", "labels: names and values of labels are texts"),
    ("rules: [{namespace: ''}]", "namespace: must be the name of a namespace"),
    ("rules: [{parse: apache}]", "parse: must be access"),
    ("rules: [", "is no YAML"),
    ("rules: [{mask: {regex: " + "a" * 1001 + "}}]", "longer than 1000 characters"),
    ("rules: [{where: " + "{not: " * 10 + "{}" + "}" * 10 + ", drop: true}]", "nested deeper than 8 levels"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_mistake_in_the_file_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(InvalidSettings) as error:
        read_rules(path)
    assert str(error.value).startswith(f"rules file {path}")
    assert message in str(error.value)


def test_a_file_may_be_empty_but_not_endless(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    for text in ("", "# nothing yet\n", "rules:\n", "rules: []\n"):
        path.write_text(text)
        assert read_rules(path) == ()
    path.write_text(" " * (FILE_MAX_BYTES + 1))
    with pytest.raises(InvalidSettings, match="more than 1,048,576 bytes"):
        read_rules(path)
    path.write_text("rules:\n" + "- {drop: true}\n" * (RULES_MAX + 1))
    with pytest.raises(InvalidSettings, match="at most 200"):
        read_rules(path)
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read_rules(tmp_path / "none.yaml")


def test_aliases_of_aliases_are_not_walked_through(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    levels = [
        f"&{letter} {{any: [{', '.join(['*' + before] * 9)}]}}"
        for before, letter in zip("abcdef", "bcdefg", strict=True)
    ]
    path.write_text(
        "rules:\n- where: &a {pod: x}\n  drop: true\n"
        + "".join(f"- where: {level}\n  drop: true\n" for level in levels)
    )
    with pytest.raises(InvalidSettings, match="more than 20,000 values"):
        read_rules(path)


def await_left(rules: Rules, count: int, within_s: float = 10.0) -> None:
    until_s = time.monotonic() + within_s
    while rules.apply(batch_of(RECORDS)).num_rows != count:
        assert time.monotonic() < until_s, "the change never counted"
        time.sleep(0.05)


def test_a_change_of_the_file_counts_and_a_mistake_leaves_the_former_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{name: a, where: {pod: web-0}, drop: true}]")
    rules = Rules(path)
    assert rules.apply(batch_of(RECORDS)).num_rows == 4
    path.write_text("rules: [{name: b, drop: true}]")
    await_left(rules, 0)
    assert list(rules.counts()) == ["b"]
    path.write_text("rules: [{name: c, drop: maybe}]")
    until_s = time.monotonic() + 10
    while not rules.failures:
        assert rules.apply(batch_of(RECORDS)).num_rows == 0
        assert time.monotonic() < until_s
        time.sleep(0.05)
    path.unlink()
    fresh = tmp_path / "fresh.yaml"
    fresh.write_text("rules: [{name: b, where: {pod: web-0}, drop: true}]")
    fresh.replace(path)
    await_left(rules, 4)
    counted = rules.counts()["b"]
    assert counted.matched == counted.dropped > 5


def test_counts_add_up_over_batches(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{name: a, where: {pod: 'web-*'}, mask: {regex: boom}}]")
    rules = Rules(path)
    for _ in range(3):
        rules.apply(batch_of(RECORDS))
    counted = rules.counts()["a"]
    assert (counted.matched, counted.dropped, counted.changed) == (6, 0, 3)


PODS, WORDS = ("web-0", "web-1", "db-0"), ("boom", "ok", "slow")
RULES = st.fixed_dictionaries(
    {"pod": st.sampled_from(("*", "web-*", "db-0")), "message": st.sampled_from(("o", "oo", "slow"))}
).flatmap(
    lambda where: st.sampled_from(
        (
            {"drop": True},
            {"keep": True},
            {"labels": {"a": "b"}},
            {"namespace": "n"},
            {"mask": [{"regex": "o", "with": "0"}]},
        )
    ).map(lambda action: {"where": where, **action})
)


@given(st.lists(RULES, max_size=6), st.lists(st.tuples(st.sampled_from(PODS), st.sampled_from(WORDS)), max_size=6))
def test_rules_do_what_they_say_record_by_record(rules: list[dict[str, Any]], rows: list[tuple[str, str]]) -> None:
    found = apply(
        rules_of({"rules": rules}, Place("rules")), batch_of([{"pod": pod, "message": text} for pod, text in rows])
    ).batch
    expected = [record for pod, text in rows if (record := naively(rules, pod, text))]
    names = ("pod", "namespace", "labels", "message")
    assert list(zip(*(found.column(name).to_pylist() for name in names), strict=True)) == expected


def naively(rules: list[dict[str, Any]], pod: str, text: str) -> tuple[str, str, str | None, str] | None:
    namespace, labels, is_kept = "default", None, False
    for rule in rules:
        is_pod = rule["where"]["pod"] in ("*", pod) or (rule["where"]["pod"] == "web-*" and pod.startswith("web-"))
        if not is_pod or rule["where"]["message"] not in text:
            continue
        if "drop" in rule and not is_kept:
            return None
        is_kept |= "keep" in rule
        namespace = rule.get("namespace", namespace)
        labels = '{"a":"b"}' if "labels" in rule else labels
        text = text.replace("o", "0") if "mask" in rule else text
    return pod, namespace, labels, text
