"""`logq` against a real server: what goes in comes out, by every way there is."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.logq.programs import Done, logq, on_terminal, start
from tests.serving import ServerProcess

Run = Callable[..., Done]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Pods with several containers, runs and namespaces."""
    with ServerProcess(tmp_path_factory.mktemp("logs") / "data") as server:
        for record in _records():
            assert server.post(json.dumps(record).encode()).json()["accepted"] == 1
        yield server


@pytest.fixture
def run(served: ServerProcess, tmp_path: Path) -> Run:
    return lambda *arguments, **more: logq(arguments, tmp_path, served.url, **more)


def _records() -> Iterator[dict[str, Any]]:
    def record(
        second: int, pod: str, message: str, namespace: str = "shop", container: str = "app", **labels: str
    ) -> dict[str, Any]:
        return {
            "time": f"2026-03-01T12:00:{second:02d}.5Z",
            "namespace": namespace,
            "pod": pod,
            "container": container,
            "message": message,
            "severity": "error" if "failed" in message else "",
            "labels": labels,
        }

    for second in range(10):
        yield record(second, "web-1", f"run 0 line {second}", app="web", pod_uid="u1", instance="0")
    for second in range(10, 15):
        yield record(second, "web-1", f"run 1 line {second}", app="web", pod_uid="u1", instance="1")
    yield record(12, "web-1", "sidecar", container="side", app="web", pod_uid="u1", instance="0")
    yield record(3, "db-0", "old pod", app="db", pod_uid="u2", instance="7")
    yield record(20, "db-0", "new pod", app="db", pod_uid="u3", instance="0")
    yield record(21, "db-0", "new pod failed\x1b[2J", app="db", pod_uid="u3", instance="0")
    yield record(30, "cron", "in shop")
    yield record(31, "cron", "in pay", namespace="pay")
    for second in range(40, 43):
        yield record(second, f"api-5d9c7b8f6d-x2k{second}", f"api {second}", app="api")


def lines(done: Done) -> list[str]:
    return done.out.decode().splitlines()


def test_the_newest_run_of_the_only_container(run: Run) -> None:
    done = run("logs", "db-0")
    assert (done.status, done.out, done.err) == (0, b"new pod\nnew pod failed\x1b[2J\n", "")


def test_several_containers_take_the_first_and_say_so(run: Run) -> None:
    done = run("logs", "web-1")
    assert lines(done) == [f"run 1 line {n}" for n in range(10, 15)]
    assert done.err == 'logq: Defaulted container "app" out of: app, side\n'
    assert lines(run("logs", "web-1", "-c", "side")) == ["sidecar"]
    assert lines(run("logs", "web-1", "side")) == ["sidecar"]
    assert lines(run("logs", "web-1", "--all-containers")) == [*(f"run 1 line {n}" for n in range(10, 15)), "sidecar"]


def test_previous_is_the_run_before(run: Run) -> None:
    assert lines(run("logs", "web-1", "-c", "app", "--previous")) == [f"run 0 line {n}" for n in range(10)]
    assert lines(run("logs", "db-0", "-p")) == ["old pod"]
    none = run("logs", "web-1", "-c", "side", "-p")
    assert (none.status, none.err) == (
        1,
        'logq: previous terminated container "side" in pod "web-1" not found\n',
    )


def test_tail_since_and_timestamps(run: Run) -> None:
    app = ("logs", "web-1", "-c", "app")
    assert lines(run(*app, "--tail", "2")) == ["run 1 line 13", "run 1 line 14"]
    assert lines(run(*app, "--tail=-1")) == [f"run 1 line {n}" for n in range(10, 15)]
    assert run(*app, "--tail", "0").status == 1
    since = ("--since-time", "2026-03-01T12:00:13Z")
    assert lines(run(*app, *since)) == ["run 1 line 13", "run 1 line 14"]
    assert lines(run(*app, *since, "--tail", "1")) == ["run 1 line 14"]
    assert run(*app, "--since", "1s").status == 1
    assert lines(run(*app, "--tail", "1", "--timestamps", "--prefix=true")) == [
        "[pod/web-1/app] 2026-03-01T12:00:14.500000000Z run 1 line 14"
    ]
    assert run(*app, "--limit-bytes", "20").out == b"run 1 line 10\nrun 1 "


def test_an_ambiguous_pod_lists_its_places(run: Run) -> None:
    done = run("logs", "cron")
    assert (done.status, done.out) == (2, b"")
    assert done.err.splitlines() == [
        'logq: pod "cron" is in 2 places; say which:',
        "  logq logs cron -n pay",
        "  logq logs cron -n shop",
    ]
    assert lines(run("logs", "cron", "-n", "pay")) == ["in pay"]


def test_a_pod_that_never_was(run: Run) -> None:
    done = run("logs", "web", "-n", "shop")
    assert (done.status, done.out) == (1, b"")
    assert done.err.splitlines() == ['logq: pods "web" not found in namespace "shop"', "  did you mean: web-1"]
    wrong = run("logs", "web-1", "-c", "nope")
    assert (wrong.status, "container nope is not valid for pod web-1 out of: app, side" in wrong.err) == (1, True)


def test_selectors_and_types(run: Run) -> None:
    assert lines(run("logs", "-l", "app=db")) == ["new pod", "new pod failed\x1b[2J"]
    assert lines(run("logs", "-l", "app in (web),app!=db", "--prefix", "--tail", "1")) == [
        "[pod/web-1/app] run 1 line 14"
    ]
    assert run("logs", "-l", "app=none").err == "logq: No resources found in any namespace.\n"
    done = run("logs", "deploy/api")
    assert (lines(done), done.err) == (["api 42"], "logq: Found 3 pods, using pod/api-5d9c7b8f6d-x2k42\n")
    assert [line.rpartition(" ")[2] for line in lines(run("logs", "deployment/api", "--all-pods"))] == [
        "40",
        "41",
        "42",
    ]
    assert run("logs", "svc/api").status == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "POD or TYPE/NAME is a required argument"),
        (("a", "-l", "x=y"), "only a selector (-l) or a POD name is allowed"),
        (("a", "b", "-c", "c"), "only one of -c or an inline [CONTAINER] arg is allowed"),
        (("a", "-c", "c", "--all-containers"), "--all-containers=true should not be specified with container name c"),
        (("a", "--tail", "-2"), "--tail must be greater than or equal to -1"),
        (
            ("a", "--since", "1h", "--since-time", "2026-03-01T12:00:00Z"),
            "at most one of `sinceTime` or `sinceSeconds`",
        ),
        (("a", "--limit-bytes", "-1"), "--limit-bytes must be greater than 0"),
        (("a", "--since", "-1h"), "expected one argument"),
        (("a", "--since=-1h"), "--since must be greater than 0"),
        (("a", "--since", "soon"), "is no duration"),
        (("a", "--since-time", "noon"), "is no RFC 3339 time"),
        (("a", "--follow=maybe"), "neither true nor false"),
    ],
)
def test_usage_errors_are_kubectls(run: Run, arguments: tuple[str, ...], told: str) -> None:
    done = run("logs", *arguments)
    assert done.status == 2
    assert told in done.err


def test_following_a_pod_over_a_restart(served: ServerProcess, tmp_path: Path) -> None:
    def post(message: str, instance: str) -> None:
        record = {
            "pod": "follow-1",
            "container": "app",
            "message": message,
            "labels": {"pod_uid": "u", "instance": instance},
        }
        served.post(json.dumps(record).encode())

    for number in range(5):
        post(f"before {number}", "0")
    with start(["logs", "follow-1", "-f", "--tail", "2"], tmp_path, served.url) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"before 3\n", b"before 4\n"]
        post("while following", "0")
        assert process.stdout.readline() == b"while following\n"
        post("after the restart", "1")
        assert process.stdout.readline() == b"after the restart\n"
        process.kill()


def test_logs_on_a_terminal_are_lines_with_their_severity(served: ServerProcess, tmp_path: Path) -> None:
    status, screen = on_terminal(["logs", "db-0"], tmp_path, served.url)
    assert (status, screen) == (0, "new pod\n\x1b[31mnew pod failed\\e[2J\x1b[0m\n")


def test_queries(run: Run) -> None:
    count = run("pod:web | stats count() as n by container | sort n", "--since", "all", "-o", "raw")
    assert count.out == b"side\t1\napp\t15\n"
    done = run("line", "-n", "shop", "--pod", "web-1", "--since", "all", "--limit", "3", "-o", "raw")
    assert lines(done) == ["run 1 line 14", "run 1 line 13", "run 1 line 12"]
    assert run("line", "-n", "pay", "--since", "all").status == 1
    assert run("line").status == 1
    assert run("api or sidecar", "-n", "pay", "--since", "all").status == 1
    either = run("shop or pay", "-n", "pay,shop", "--since", "all", "-o", "raw")
    assert lines(either) == ["in pay", "in shop"]


@pytest.mark.parametrize("flags", [[], ["-n", "shop"]])
def test_a_bad_query_has_its_place_and_hint(run: Run, flags: list[str]) -> None:
    done = run("a or b | stats cuont() by pod", "--since", "1h", *flags)
    assert done.status == 2
    message, shown, caret, *_ = done.err.splitlines()
    assert "cuont" in message
    assert shown == "  a or b | stats cuont() by pod"
    assert caret.index("^") == shown.index("cuont")
    assert "count" in done.err


def test_streams_fields_values_histogram_explain(run: Run) -> None:
    pods = Counter(json.loads(line)["pod"] for line in lines(run("streams", "-n", "shop")))
    assert pods["web-1"] == 3
    everything = ("--since", "2026-03-01T12:00:00Z", "--until", "2026-03-01T12:00:50Z")
    names = {json.loads(line)["name"] for line in lines(run("fields", *everything))}
    assert {"pod", "message", "severity"} <= names
    assert lines(run("values", "pod", "-n", "pay", *everything, "-o", "raw")) == ["cron"]
    buckets = [json.loads(line) for line in lines(run("histogram", "*", *everything))]
    assert sum(bucket["count"] for bucket in buckets) == 24
    assert "sql" in json.loads(run("explain", "a", *everything).out)


def test_context_around_a_record(run: Run) -> None:
    found = json.loads(run('"run 0 line 5"', "--since", "all", "--meta").out)
    done = run("context", str(found["_seq"]), "-B", "2", "-A", "1")
    assert [json.loads(line)["message"] for line in lines(done)] == [f"run 0 line {n}" for n in (3, 4, 5, 6)]


def test_following_several_containers_at_once(served: ServerProcess, tmp_path: Path) -> None:
    def post(container: str, message: str) -> None:
        record = {"pod": "pair-1", "container": container, "message": message, "labels": {"app": "pair"}}
        served.post(json.dumps(record).encode())

    post("a", "one")
    post("b", "two")
    command = ["logs", "-l", "app=pair", "--all-containers", "-f", "--prefix"]
    assert logq([*command, "--max-log-requests", "1"], tmp_path, served.url).status == 2
    with start(command, tmp_path, served.url) as process:
        assert process.stdout is not None
        first = {process.stdout.readline() for _ in range(2)}
        assert first == {b"[pod/pair-1/a] one\n", b"[pod/pair-1/b] two\n"}
        post("b", "three")
        assert process.stdout.readline() == b"[pod/pair-1/b] three\n"
        process.kill()


def test_a_body_limit_below_a_batch_and_a_token(server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("s3cret\n")
    guarded = server(max_body="64KiB", token_file=tokens)
    file = tmp_path / "app.log"
    wanted = [f"line {number} {'x' * 100}" for number in range(20_000)]
    file.write_text("\n".join(wanted))
    refused = logq(["push", str(file)], tmp_path, guarded.url)
    assert (refused.status, "--token, LOGQ_TOKEN" in refused.err) == (2, True)
    pushed = logq(["push", str(file), "--token", "s3cret"], tmp_path, guarded.url)
    assert (pushed.status, pushed.err) == (0, "")
    done = logq(["line", "-o", "raw", "--limit", "0", "--since", "all"], tmp_path, guarded.url, LOGQ_TOKEN="s3cret")
    assert Counter(lines(done)) == Counter(wanted)


def test_sources_tell_who_sends_and_who_is_silent(run: Run, served: ServerProcess, tmp_path: Path) -> None:
    served.post(b'{"message":"counted","pod":"other"}', headers={"User-Agent": "Vector/0.50"})
    done = run("sources")
    found = {source["name"]: source for source in map(json.loads, done.out.splitlines())}
    assert (done.status, found["Vector"]["protocol"], found["Vector"]["records"]) == (0, "native", 1)
    assert run("sources", "--silent", "1h") == Done(1, b"", "")
    assert "duration" in run("sources", "--silent", "often").err
    status, shown = on_terminal(["sources"], tmp_path, served.url)
    assert status == 0
    assert "silent_s" in shown and "Vector" in shown
