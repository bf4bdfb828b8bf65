"""Lines: what container runtimes wrap them in, and traces that are one record."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.lines import TRACE_MAX_BYTES, asked, lines
from ingest.lines_asked import LANGUAGES, Asked, LinesSettings, formats_of, languages_of
from ingest.protocols import native
from ingest.request import Head, Request
from logstore.errors import InvalidInput
from tests.ingest.lines_reference import joined, unwrapped

NOW_NS = 1_795_600_000 * 10**9
TIME = "2026-03-01T12:00:00.000000001Z"
AUTO = Asked(formats_of("auto"))
TRACES = Asked(languages=languages_of("auto"))
MAX_BYTES = 1 << 24


def decoded(body: bytes, media_type: str = "text/plain") -> pa.RecordBatch:
    return native.decode(Request(body, NOW_NS, Head(headers={"content-type": media_type}))).batch


def records(rows: list[tuple[str, str]]) -> pa.RecordBatch:
    body = "\n".join(json.dumps({"pod": pod, "message": message}) for pod, message in rows)
    return decoded(body.encode(), "application/x-ndjson")


def taken(batch: pa.RecordBatch, wanted: Asked = AUTO, max_bytes: int = MAX_BYTES) -> pa.RecordBatch:
    return lines(batch, wanted, now_ns=NOW_NS, max_line_bytes=max_bytes)


def messages(batch: pa.RecordBatch) -> list[str]:
    found: list[str] = batch.column("message").to_pylist()
    return found


def attributes(batch: pa.RecordBatch) -> list[dict[str, object]]:
    return [json.loads(text or "{}") for text in batch.column("attributes").to_pylist()]


def rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Times in nanoseconds."""
    return batch.set_column(0, "time", batch.column("time").cast(pa.int64())).to_pylist()


def test_a_line_of_cri_has_the_runtimes_time_and_stream() -> None:
    found = taken(decoded(b"2026-03-01T14:00:00.000000001+02:00 stderr F \tno disk, sir \r"))
    assert messages(found) == ["\tno disk, sir \r"]
    assert found.column("stream").to_pylist() == ["stderr"]
    assert found.column("time").cast(pa.string()).to_pylist() == ["2026-03-01 12:00:00.000000001"]
    assert attributes(found) == [{}]


def test_a_file_as_podman_and_cri_o_write_it_is_what_the_program_wrote() -> None:
    body = (Path(__file__).parents[1] / "data" / "runtimes" / "conmon-2.1.6.log").read_bytes()
    recorded_ns = 1_795_913_228 * 10**9
    found = lines(decoded(body), AUTO, now_ns=recorded_ns, max_line_bytes=MAX_BYTES)
    assert list(zip(found.column("stream").to_pylist(), messages(found), strict=True)) == [
        ("stdout", "plain line"),
        ("stderr", "to stderr"),
        ("stdout", ""),
        ("stdout", "x" * 20_000 + " end of a long line"),
        ("stdout", "\x1b[31mred\x1b[0m\ttab\r"),
        ("stdout", "not utf-8 \\xff\\xfe and NUL \0 here"),
        ("stdout", "café 漢"),
        ("stdout", "half a line and its rest"),
        ("stderr", "between"),
        ("stdout", '{"level":"info","msg":"json"}'),
        ("stdout", "no newline at the end"),
    ]
    assert found.column("time").cast(pa.string())[3].as_py() == "2026-11-29 00:47:08.490272741"
    notes = {place: told for place, told in enumerate(attributes(found)) if told}
    assert notes == {5: {"_escape": "backslash"}, 10: {"_partial": True}}


def test_a_file_as_docker_writes_it_is_what_the_program_wrote() -> None:
    body = (Path(__file__).parents[1] / "data" / "runtimes" / "dockerd-20.10-json.log").read_bytes()
    found = lines(decoded(body), AUTO, now_ns=1_795_943_100 * 10**9, max_line_bytes=MAX_BYTES)
    assert list(zip(found.column("stream").to_pylist(), messages(found), strict=True)) == [
        ("stdout", "grüße aus dem Container"),
        ("stderr", 'level=error msg="disk full" user=ann'),
        ("stdout", 'tab\there "quoted" back\\slash \x1b[31mred\x1b[0m <&>'),
        ("stdout", "bad \ufffd\ufffd bytes and a zero \0 byte"),  # so Docker itself writes them
        ("stdout", ""),
        ("stdout", '{"level":"warn","msg":"in JSON","n":7}'),
        ("stdout", "".join(f"long {number:06} " for number in range(1700)) + "end"),
        ("stdout", "carriage return\r"),
        ("stdout", "without an end"),
    ]
    assert found.column("time").cast(pa.string())[7].as_py() == "2026-11-29 09:04:12.920728740"
    attrs = {"STAGE": "prod", "tag": "web", "team": "payments"}
    assert attributes(found) == [{"attrs": attrs}] * 8 + [{"attrs": attrs, "_partial": True}]


def test_a_line_of_docker_comes_back_exactly() -> None:
    line = 'say "hi" \\ \u0000\u001b[31mred\u001b[0m é\r'
    wrapped = json.dumps({"log": line + "\n", "stream": "stdout", "attrs": {"tag": "x"}, "time": TIME}).encode()
    found = taken(decoded(wrapped.replace(b'": ', b'":')))
    assert messages(found) == [line]
    assert found.column("stream").to_pylist() == ["stdout"]
    assert attributes(found) == [{"attrs": {"tag": "x"}}]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "plain",
        f"{TIME} stdout",
        f"{TIME} stdout X text",
        f"{TIME} stdout FF text",
        f"{TIME} stdin F text",
        f"{TIME}  stdout F text",
        "2026-13-01T12:00:00Z stdout F no month",
        "2026-03-01 12:00:00.1Z stdout F no T",
        '{"log":"x\\n","stream":"stdout"}',
        '{"log":"x\\n","stream":"stdout","time":"yesterday"}',
        '{"log":"x\\n","stream":"stdout","time":"' + TIME + '","more":1}',
        '{"log":"x\\n","stream":"stdout","time":"' + TIME + '"} tail',
        '{"log":1,"stream":"stdout","time":"' + TIME + '"}',
        '{"log":"x\\n","log":"y\\n","stream":"stdout","time":"' + TIME + '"}',
    ],
)
def test_what_is_not_wrapped_stays_as_it_is(line: str) -> None:
    batch = decoded(line.encode() or b"\n")
    assert rows(taken(batch)) == rows(batch)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{TIME} stdout F ", ""),
        (f"{TIME} stdout F", ""),
        (f"{TIME} stdout F:x:y  two", " two"),
        (f"{TIME} stdout F F", "F"),
    ],
)
def test_what_is_in_a_line_of_cri_may_be_anything(line: str, message: str) -> None:
    assert messages(taken(decoded(line.encode()))) == [message]


def test_only_what_is_asked_for_is_unwrapped() -> None:
    body = f'{TIME} stdout F cri\n{{"log":"docker\\n","stream":"stdout","time":"{TIME}"}}'.encode()
    cri, docker = messages(decoded(body))
    assert messages(taken(decoded(body), Asked(formats_of("cri")))) == ["cri", docker]
    assert messages(taken(decoded(body), Asked(formats_of("docker")))) == [cri, "docker"]
    assert messages(taken(decoded(body), Asked())) == [cri, docker]


def test_pieces_of_both_streams_may_come_one_after_the_other() -> None:
    body = f"{TIME} stdout P a\n{TIME} stderr P 1\n{TIME} stdout P b\n{TIME} stderr F 2\n{TIME} stdout F c".encode()
    assert messages(taken(decoded(body))) == ["abc", "12"]


def test_pieces_of_different_files_are_not_joined() -> None:
    pieces = [("a", "P", "1"), ("b", "P", "2"), ("b", "F", "3"), ("a", "F", "4")]
    body = "\n".join(json.dumps({"log": f"{TIME} stdout {tag} {text}", "file": file}) for file, tag, text in pieces)
    assert messages(taken(decoded(body.encode(), "application/x-ndjson"))) == ["14", "23"]


def told(*records: dict[str, object]) -> pa.RecordBatch:
    return decoded("\n".join(map(json.dumps, records)).encode(), "application/x-ndjson")


def test_pieces_that_an_agents_parser_tells_of_are_joined() -> None:
    def piece(tag: str, text: str, stream: str = "stdout") -> dict[str, object]:
        return {"time": TIME, "message": text, "stream": stream, "logtag": tag, "n": 1}

    batch = told(piece("F", "one"), piece("P", "tw"), piece("F", "err", "stderr"), piece("F", "o"), piece("P", "op"))
    found = taken(batch)
    assert messages(found) == ["one", "two", "err", "op"]
    assert attributes(found) == [
        {"logtag": "F", "n": 1},
        {"n": 1},
        {"logtag": "F", "n": 1},
        {"logtag": "P", "n": 1, "_partial": True},
    ]
    assert found.column("stream").to_pylist() == ["stdout", "stdout", "stderr", "stdout"]
    assert rows(taken(batch, Asked(formats_of("docker")))) == rows(batch)


def test_pieces_that_dockers_drivers_tell_of_are_joined() -> None:
    def piece(text: str, number: str, is_last: str, own: str) -> dict[str, object]:
        told_so = {"partial_message": "true", "partial_id": own, "partial_ordinal": number, "partial_last": is_last}
        return {"log": text, "source": "stdout", **told_so}

    plain = {"log": "plain", "source": "stdout"}
    batch = told(piece("a", "1", "false", "x"), piece("1", "1", "false", "y"), plain, piece("b", "2", "true", "x"))
    found = taken(batch)
    assert messages(found) == ["ab", "1", "plain"]
    assert attributes(found)[0] == attributes(found)[2] == {"source": "stdout"}
    assert attributes(found)[1]["_partial"] is True and attributes(found)[1]["partial_id"] == "y"
    journal = {"CONTAINER_PARTIAL_MESSAGE": "true"}
    found = taken(
        told({"msg": "a", **journal}, {"msg": "b", **journal, "CONTAINER_PARTIAL_LAST": "true"}, {"msg": "c"})
    )
    assert (messages(found), attributes(found)) == (["ab", "c"], [{}, {}])


def test_pieces_of_podmans_journald_driver_are_joined_though_the_last_says_nothing() -> None:
    def piece(text: str, priority: int, **told_so: str) -> dict[str, object]:
        return {"msg": text, "stream": f"of {priority}", "CONTAINER_ID": "c", "PRIORITY": priority, **told_so}

    partial = {"CONTAINER_PARTIAL_MESSAGE": "true"}
    batch = told(piece("a", 6, **partial), piece("err", 3), piece("b", 6, **partial), piece("c", 6), piece("d", 6))
    found = taken(batch)
    assert messages(found) == ["abc", "err", "d"]
    assert attributes(found) == [{"CONTAINER_ID": "c", "PRIORITY": number} for number in (6, 3, 6)]


def test_a_line_whose_rest_is_in_the_next_request_says_so() -> None:
    first = taken(decoded(f"{TIME} stdout F whole\n{TIME} stdout P begin".encode()))
    second = taken(decoded(f"{TIME} stdout P ning\n{TIME} stdout F  end".encode()))
    assert list(zip(messages(first), attributes(first), strict=True)) == [("whole", {}), ("begin", {"_partial": True})]
    assert list(zip(messages(second), attributes(second), strict=True)) == [("ning end", {})]


def test_a_character_that_was_cut_in_two_is_whole_again() -> None:
    body = f"{TIME} stdout P caf\\\xc3".encode("latin-1") + f"\n{TIME} stdout F \xa9".encode("latin-1")
    found = taken(decoded(body))
    assert (messages(found), attributes(found)) == (["caf\\é"], [{}])


def test_bytes_that_are_no_text_stay_escaped_in_a_joined_line() -> None:
    body = f"{TIME} stdout P a\\\n{TIME} stdout F b\xff".encode("latin-1")
    found = taken(decoded(body))
    assert (messages(found), attributes(found)) == (["a\\\\b\\xff"], [{"_escape": "backslash"}])


def test_a_time_that_no_record_can_have_stands_in_the_attributes() -> None:
    found = taken(decoded(b"3026-03-01T12:00:00Z stdout F far"))
    assert found.column("time").cast(pa.int64()).to_pylist() == [NOW_NS]
    assert (messages(found), attributes(found)) == (["far"], [{"_time": "3026-03-01T12:00:00Z"}])


def test_a_line_of_ten_megabytes_is_one_record() -> None:
    text = "x" * 10_000_000
    pieces = [text[at : at + 16_384] for at in range(0, len(text), 16_384)]
    tags = ["P"] * (len(pieces) - 1) + ["F"]
    body = "\n".join(f"{TIME} stdout {tag} {piece}" for tag, piece in zip(tags, pieces, strict=True))
    assert messages(taken(decoded(body.encode()))) == [text]


def test_a_line_over_the_limit_stays_in_pieces() -> None:
    body = f"{TIME} stdout P aaa\n{TIME} stdout P bbb\n{TIME} stdout F ccc".encode()
    found = taken(decoded(body), max_bytes=6)
    assert messages(found) == ["aaabbb", "ccc"]
    assert attributes(found) == [{"_partial": True}, {}]


TEXTS = st.text(st.sampled_from('ab "\\é\n{'), max_size=6)
CRI_LINES = st.builds(
    lambda stream, tag, text: f"{TIME} {stream} {tag} {text}",
    st.sampled_from(("stdout", "stderr")),
    st.sampled_from(("P", "P", "F", "F:x", "Q")),
    TEXTS,
)
DOCKER_LINES = st.builds(
    lambda stream, text, attrs: json.dumps(
        {"log": text, "stream": stream, "time": TIME} | attrs, separators=(",", ":"), ensure_ascii=False
    ),
    st.sampled_from(("stdout", "stderr")),
    st.builds(lambda text, end: text + end, TEXTS, st.sampled_from(("", "\n"))),
    st.sampled_from(({}, {}, {"attrs": {"a": "1"}}, {"other": 1})),
)


@given(st.lists(st.tuples(st.sampled_from("pq"), CRI_LINES | DOCKER_LINES | TEXTS), max_size=12))
def test_lines_are_those_of_the_reference(rows: list[tuple[str, str]]) -> None:
    compare_with_reference(rows, MAX_BYTES)


@given(st.lists(st.tuples(st.sampled_from("pq"), CRI_LINES), max_size=12), st.integers(0, 12))
def test_lines_over_a_limit_are_those_of_the_reference(rows: list[tuple[str, str]], max_bytes: int) -> None:
    compare_with_reference(rows, max_bytes)


def compare_with_reference(rows: list[tuple[str, str]], max_bytes: int) -> None:
    batch = records(rows)
    sent = list(zip((pod for pod, _ in rows), messages(batch), strict=True))
    found, expected = taken(batch, max_bytes=max_bytes), unwrapped(sent, max_bytes)
    assert messages(found) == [line.message for line in expected]
    assert attributes(found) == [line.attributes for line in expected]
    assert found.column("pod").to_pylist() == [line.source for line in expected]
    assert found.column("stream").to_pylist() == [line.stream for line in expected]


JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: no
\tat com.shop.Cart.add(Cart.java:12) ~[cart.jar:1.0]
\tat java.base/java.lang.Thread.run(Thread.java:840)
\tSuppressed: java.io.IOException: close
\t\tat com.shop.Db.close(Db.java:3)
Caused by: java.io.IOException: disk
\tat com.shop.Db.open(Db.java:1)
\t... 2 more"""
PYTHON = """\
Traceback (most recent call last):
  File "a.py", line 3, in <module>
    f()
    ^^^
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 5, in <module>
    g()
ValueError: no"""
GO = """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45]

goroutine 1 [running]:
main.work(0xc000012345, 0x1)
\t/app/main.go:12 +0x1d
created by main.main in goroutine 1
\t/app/main.go:5 +0x20

goroutine 7 [chan receive]:
main.wait()
\t/app/wait.go:3 +0x11"""
DOTNET = """\
Unhandled exception. System.InvalidOperationException: outer
 ---> System.IO.IOException: inner
   at Shop.Db.Open(String path) in /src/Db.cs:line 7
   --- End of inner exception stack trace ---
   at Shop.Program.Main(String[] args) in /src/Program.cs:line 3"""
NODE = """\
Error: ENOENT: no such file
    at Object.openSync (node:fs:573:18)
    at /app/index.js:7:3
    at async main (/app/index.js:9:1) {
  errno: -2,
  [cause]: Error: inner
      at f (/app/index.js:1:1)
}"""
RUBY = """\
/app/a.rb:1:in `foo': no (RuntimeError)
\tfrom /app/a.rb:4:in `block in bar'
\tfrom /app/a.rb:7:in `<main>'"""
EXAMPLES = {"java": JAVA, "python": PYTHON, "go": GO, "dotnet": DOTNET, "node": NODE, "ruby": RUBY}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_trace_between_other_lines_is_one_record(language: str, newline: str) -> None:
    trace = EXAMPLES[language].replace("\n", newline)
    batch = decoded(f"before\n{trace}\nafter\n".encode())
    for wanted in (language, "auto", f"{language}, ruby"):
        found = taken(batch, Asked(languages=languages_of(wanted)))
        assert messages(found) == ["before", trace, "after"]
    assert taken(batch, Asked()).equals(batch)


@pytest.mark.parametrize(
    ("language", "other"), [("java", "python"), ("python", "java"), ("go", "ruby"), ("ruby", "go")]
)
def test_a_trace_of_a_language_that_nobody_asked_for_stays_lines(language: str, other: str) -> None:
    batch = decoded(EXAMPLES[language].encode())
    assert taken(batch, Asked(languages=languages_of(other))).equals(batch)


def test_traces_of_two_pods_may_come_line_by_line() -> None:
    java, ruby = JAVA.splitlines(), RUBY.splitlines()
    rows = [(pod, line) for pair in zip(java[:3], ruby, strict=True) for pod, line in zip("jr", pair, strict=True)]
    assert messages(taken(records(rows), TRACES)) == ["\n".join(java[:3]), RUBY]


def test_a_wrapped_trace_is_unwrapped_first() -> None:
    body = "\n".join(f"{TIME} stderr F {line}" for line in PYTHON.splitlines()).encode()
    found = taken(decoded(body), Asked(AUTO.formats, TRACES.languages))
    assert messages(found) == [PYTHON]
    assert found.column("stream").to_pylist() == ["stderr"]


def test_a_trace_has_a_largest_size() -> None:
    frame = "\tat a.b.C.d(C.java:1)" + "x" * 1000
    found = messages(taken(decoded("\n".join(["head", *[frame] * 2000]).encode()), TRACES))
    assert len(found) == 2
    assert max(len(message) for message in found) <= TRACE_MAX_BYTES
    assert "\n".join(found).count(frame) == 2000


POOL = [
    *sorted({line for trace in EXAMPLES.values() for line in trace.splitlines()}),
    *("", "plain", "plain", "}", "  indented", "\ttab", "main.f(1)", "F0102 15:04:05.123456 1 x.go:1] boom"),
    "The above exception was the direct cause of the following exception:",
    "http: panic serving 10.0.0.1:5: no",
]
SNIPPETS = st.sampled_from(POOL).map(lambda line: [line]) | st.sampled_from(sorted(EXAMPLES.values())).map(
    str.splitlines
)


@given(st.lists(st.tuples(st.sampled_from("pq"), SNIPPETS), max_size=10))
def test_traces_are_those_of_the_reference(parts: list[tuple[str, list[str]]]) -> None:
    rows = [(pod, line) for pod, part in parts for line in part]
    found = taken(records(rows), TRACES)
    assert messages(found) == ["\n".join(rows[row][1] for row in record) for record in joined(rows)]


ODD = st.text(st.sampled_from('\x00\r\\"{}[]:é\ud800 -PF0')).map(lambda text: text.encode("utf-8", "surrogatepass"))
CUTS = st.tuples(
    st.sampled_from(sorted(EXAMPLES.values())) | CRI_LINES | DOCKER_LINES, st.integers(0, 80), st.integers(0, 9), ODD
)


@given(st.lists(CUTS, max_size=8), st.sampled_from((1, 40, MAX_BYTES)))
def test_whatever_the_bytes_the_columns_are_sound(cuts: list[tuple[str, int, int, bytes]], max_bytes: int) -> None:
    parts = [(text.encode(), at, gone, odd) for text, at, gone, odd in cuts]
    body = b"\n".join(text[:at] + odd + text[at + gone :] for text, at, gone, odd in parts)
    batch = decoded(body)
    found = taken(batch, Asked(AUTO.formats, TRACES.languages), max_bytes)
    found.validate(full=True)
    assert found.num_rows <= batch.num_rows


def test_a_request_asks_or_else_the_settings_do() -> None:
    settings = LinesSettings()
    assert asked(Head(), "native", settings) == Asked()
    assert asked(Head(), "loki", settings) == AUTO
    assert asked(Head(params={"unwrap": "off"}), "loki", settings) == Asked()
    assert asked(Head(headers={"logstore-unwrap": "cri"}), "native", settings) == Asked(formats_of("cri"))
    assert asked(Head(params={"multiline": "java,go"}), "native", settings).languages == languages_of("go,java")
    with pytest.raises(InvalidInput, match="'kri' is none of off, cri"):
        asked(Head(params={"unwrap": "kri"}), "native", settings)
    with pytest.raises(InvalidInput, match="'perl' is none of off, auto, java"):
        asked(Head(params={"multiline": "perl"}), "native", settings)
