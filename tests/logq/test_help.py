"""Help fits a screen, knows every option, and changes only on purpose (`--update-golden`)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from logq.arguments import COMMANDS, LEADING_VALUED, parser_of
from logq.help import EXAMPLES, OVERVIEW
from tests.logq.programs import environment, logq, start
from tests.logq.standin import Prepared, StandIn

GOLDEN = Path(__file__).parent / "golden"


def test_the_overview_fits_a_screen_with_examples_first(tmp_path: Path) -> None:
    done = logq(["--help"], tmp_path, "")
    lines = done.out.decode().splitlines()
    assert done.status == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("  logq timeout")
    assert logq([], tmp_path, "").status == 2


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"query"}))
def test_the_help_of_each_command_is_the_one_agreed_on(
    command: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = logq([command, "--help"], tmp_path, "").out.decode()
    golden = GOLDEN / f"{command}.txt"
    if request.config.getoption("--update-golden", default=False):
        golden.write_text(text)
    assert text == golden.read_text()
    assert max(map(len, text.splitlines())) <= 100


def test_the_overview_names_every_command_and_option_of_a_query() -> None:
    parser = parser_of("query")
    hidden = {"--start", "--end", "-h"}  # other names
    for name in [*(parser.valued | parser.switches) - hidden, *set(COMMANDS) - {"query"}]:
        assert name in OVERVIEW, name
    assert set(EXAMPLES) == set(COMMANDS)


def test_options_before_a_command_are_skipped_with_their_values() -> None:
    assert parser_of("query").valued == LEADING_VALUED


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_know_all_commands_and_options(shell: str, tmp_path: Path) -> None:
    text = logq(["completion", shell], tmp_path, "").out.decode()
    for command in set(COMMANDS) - {"query"}:
        assert command in text
    for option in parser_of("logs").valued | parser_of("push").switches:
        assert option.lstrip("-") in text


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("logq hi", ["histogram"]),
        ("logq logs --prev", ["--previous"]),
        ("logq -o j", ["json"]),
        ("logq push --foll", ["--follow"]),
        ("logq completion f", ["fish"]),
    ],
)
def test_bash_completes(typed: str, offered: list[str], tmp_path: Path) -> None:
    script = logq(["completion", "bash"], tmp_path, "").out.decode()
    words = typed.split(" ")
    run = (
        f"{script}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _logq; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, env=environment(tmp_path, ""))
    assert (done.stdout.split(), done.stderr) == (offered, "")


def test_the_start_is_quick_and_light(tmp_path: Path) -> None:
    code = "import sys; sys.argv[1:] = ['x']\nfrom logq.main import main\nmain()\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(tmp_path, "http://127.0.0.1:1")
    )
    loaded = {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}
    assert "logq" in loaded
    assert loaded & {"httpx", "rich", "pyarrow", "asyncio", "tomllib", "difflib", "hashlib", "unittest"} <= {"hashlib"}


def test_the_first_line_is_quick(standin: StandIn, tmp_path: Path) -> None:
    """Under 300 ms; counted as CPU time, since the tests beside this one take the clock's."""
    standin.answer = lambda path, params: Prepared([b'{"time":"2026-11-24T09:30:00.000000000Z","message":"m"}\n'])
    spent = []
    for _ in range(3):
        process = start(["x", "--since", "all"], tmp_path, standin.url)
        assert process.stdout is not None
        assert process.stdout.readline()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.communicate()
        spent.append(usage.ru_utime + usage.ru_stime)
    assert min(spent) < 0.3
