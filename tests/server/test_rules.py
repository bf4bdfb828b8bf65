"""Lines and rules in a real server, and the dry run."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.serving import PROGRAM, ServerProcess

Start = Callable[..., ServerProcess]
TIME = "2026-03-01T12:00:00Z"
CARD = "4111 1111 1111 1111"
RULES = """
rules:
  - {name: probes, where: {message: healthz}, drop: true}
  - {name: secrets, where: {not: {pod: trusted}}, mask: all}
"""


def started(server: Start, tmp_path: Path, text: str = RULES, **settings: object) -> tuple[ServerProcess, Path]:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return server(rules_file=path, **settings), path


def messages(running: ServerProcess, q: str = "*") -> list[str]:
    return [json.loads(line)["message"] for line in running.query(q, order="asc").text.splitlines()]


def test_what_rules_drop_or_mask_is_never_written(server: Start, tmp_path: Path) -> None:
    running, _ = started(server, tmp_path)
    body = f'{{"message":"GET /healthz"}}\n{{"message":"card {CARD}","mail":"ann@example.com"}}\n'
    answer = running.post(body.encode())
    assert answer.json() == {"accepted": 2, "rejected": []}
    assert messages(running) == ["card [card]"]
    assert [
        json.loads(line)["n"] for line in running.query('mail="[email]" | stats count() as n').text.splitlines()
    ] == [1]
    held = b"".join(path.read_bytes() for path in running.data.rglob("*") if path.is_file())
    assert b"[card]" in held
    assert b"healthz" not in held and b"4111" not in held and b"ann@" not in held
    running.await_metric('logstore_rule_records_dropped_total{rule="probes"} 1.0')
    running.await_metric('logstore_rule_records_matched_total{rule="secrets"} 1.0')
    running.await_metric('logstore_rule_records_changed_total{rule="secrets"} 1.0')
    running.await_metric("logstore_accepted_records_total 1.0")
    text = running.client.get("/metrics").text
    told = re.findall(r"^# HELP (logstore_rules?_\S+) (.+)$", text, re.MULTILINE)
    kept = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert len(told) == 5
    assert [name for name, meaning in told if f"| `{name}` | counter | {meaning} |" not in kept] == []


def test_a_batch_of_which_nothing_is_left_is_answered_like_any_other(server: Start, tmp_path: Path) -> None:
    running, path = started(server, tmp_path)
    keyed = {"Idempotency-Key": "k"}
    first = running.post(b'{"message":"healthz"}\n7', headers=keyed)
    assert first.json()["accepted"] == 1 and [reject["line"] for reject in first.json()["rejected"]] == [2]
    assert running.post(b'{"message":"healthz"}\n7', headers=keyed).json() == first.json()
    path.write_text("rules: [{name: later, where: {message: other}, drop: true}]")
    running.await_metric('logstore_rule_records_matched_total{rule="later"} 0.0')
    assert (
        running.post(b'{"message":"other"}\n{"message":"left"}', headers={"Idempotency-Key": "l"}).json()["accepted"]
        == 2
    )
    assert (
        running.post(b'{"message":"other"}\n{"message":"left"}', headers={"Idempotency-Key": "l"}).json()["accepted"]
        == 2
    )
    assert messages(running) == ["left"]


def test_a_mistake_in_a_running_servers_file_is_counted_and_logged(server: Start, tmp_path: Path) -> None:
    running, path = started(server, tmp_path)
    path.write_text("rules: [{name: x, drop: perhaps}]")
    running.await_metric("logstore_rules_reload_failures_total 1.0")
    assert "rule 1: drop: must be true" in running.log_tail()
    running.post(b'{"message":"healthz"}\n{"message":"left"}')
    assert messages(running) == ["left"]


def test_a_server_does_not_start_with_rules_that_have_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{sample: lots}]")
    done = subprocess.run(
        [*PROGRAM, "serve", "--data", tmp_path / "data", "--rules-file", path],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"rule 1: sample: 'lots' is no share" in done.stderr
    assert not (tmp_path / "data").exists()


def test_lines_of_runtimes_and_traces_are_records_when_asked_for(server: Start) -> None:
    running = server(multiline="java")
    body = f"{TIME} stderr F java.lang.Error: no\n{TIME} stderr F \tat A.b(A.java:1)\n{TIME} stdout P on".encode()
    answer = running.post(body, "text/plain", params={"unwrap": "auto"})
    assert answer.json() == {"accepted": 3, "rejected": []}
    found = [json.loads(line) for line in running.query("*", order="asc").text.splitlines()]
    assert [(record["message"], record["stream"], record.get("attributes")) for record in found] == [
        ("java.lang.Error: no\n\tat A.b(A.java:1)", "stderr", None),
        ("on", "stdout", {"_partial": True}),
    ]
    wrong = running.post(body, "text/plain", params={"multiline": "cobol"})
    assert wrong.status_code == 400
    assert "'cobol' is none of off, auto, java" in wrong.json()["error"]


def test_pieces_of_a_line_survive_a_kill(server: Start) -> None:
    running = server(unwrap="auto")
    running.post(f"{TIME} stdout P begin".encode(), "text/plain")
    running.kill()
    running.start()
    running.post(f"{TIME} stdout F end".encode(), "text/plain")
    assert messages(running) == ["begin", "end"]
    assert messages(running, "_partial=true") == ["begin"]


def rules_test(path: Path, stdin: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [*PROGRAM, "rules", "test", str(path), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def test_a_dry_run_shows_what_would_be_stored_and_what_each_rule_did(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    warning = json.dumps({"time": TIME, "message": f"level=warn card={CARD.replace(' ', '')}"})
    done = rules_test(path, f'{{"message":"healthz"}}\n{warning}\n7\n'.encode(), "--pod", "web-0")
    assert done.returncode == 0
    (record,) = map(json.loads, done.stdout.splitlines())
    identity = {"cluster": "default", "namespace": "default", "pod": "web-0", "container": "", "stream": ""}
    message = {"severity": "warn", "message": "level=warn card=[card]"}
    assert record == {
        "time": "2026-03-01T12:00:00.000000000Z",
        **identity,
        **message,
        "attributes": {"level": "warn", "card": "[card]"},
    }
    told = done.stderr.decode().splitlines()
    assert told[0].startswith("logstore rules: line 3 not read: a record is a JSON object")
    assert told[1].startswith("probes (drop): matched 1, dropped 1, changed 0")
    assert told[2].startswith("secrets (mask): matched 1, dropped 0, changed 1")
    assert told[3] == "2 records read, 1 would be stored"


def test_a_dry_run_takes_text_and_names_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    done = rules_test(path, f"{TIME} stdout F healthz\n{TIME} stdout F {CARD}\n".encode(), "--text", "--unwrap", "cri")
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == ["[card]"]
    path.write_text("rules: [{mask: cart}]")
    done = rules_test(path, b"")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"unknown detector 'cart'" in done.stderr
    path.write_text("rules: []")
    assert b"'kri' is none of" in rules_test(path, b"", "--unwrap", "kri").stderr
    assert rules_test(path, b"").returncode == 0
