"""The clients that the other tests here use can be found and run."""

import json

import pytest

from tests.clients.installed import HERE, npm, program, run_node, started_node

PACKAGES = json.loads((HERE / "package.json").read_text())["dependencies"]


@pytest.mark.needs_npm(*PACKAGES)
def test_every_npm_client_is_there_in_the_version_that_is_asked_for() -> None:
    folders = {name: npm(name) for name in PACKAGES}
    manifests = {name: json.loads((folder / "package.json").read_text()) for name, folder in folders.items() if folder}
    assert {name: manifest["version"] for name, manifest in manifests.items()} == PACKAGES


@pytest.mark.needs_program("node")
def test_a_script_gets_its_arguments_and_gives_its_output() -> None:
    assert run_node("console.log(process.argv.slice(1).join('+'))", "a", "--b") == "a+--b\n"


@pytest.mark.needs_program("node")
def test_a_script_that_fails_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="what went wrong"):
        run_node("Promise.reject(new Error('what went wrong'))")


@pytest.mark.needs_program("node")
def test_a_script_runs_beside_the_test() -> None:
    with started_node("process.stdin.on('data', (text) => { console.log(`got ${text}`); process.exit() })") as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("it")
        process.stdin.flush()
        assert process.stdout.readline() == "got it\n"


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (HERE / "package-lock.json").read_text()


def test_a_program_that_nobody_has_is_not_found() -> None:
    assert program("no-such-program") is None
