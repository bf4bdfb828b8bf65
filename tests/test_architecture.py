"""The shape of the code: who imports whom, what is declared, what is documented, what stays small."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("logstore", "ingest", "query", "server", "logq")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
FILE_LINES_MAX = 350
FUNCTION_LINES_MAX = 60

NOT_IMPORTED_BY_NAME = {"python-multipart", "uvicorn", "pytz"}
"""Starlette reads forms with the first, the second brings the event loop, DuckDB's client wants the third."""


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    assert f"{len(contracts)} kept, 0 broken" in done.stdout


def test_every_package_is_built_and_checked() -> None:
    assert tuple(PROJECT["tool"]["importlinter"]["root_packages"]) == PACKAGES
    assert set(PACKAGES) <= set(PROJECT["tool"]["mypy"]["packages"])
    assert {f"{name}*" for name in PACKAGES} == set(PROJECT["tool"]["setuptools"]["packages"]["find"]["include"])


def test_dependencies_are_declared_and_used() -> None:
    distributions = packages_distributions()
    providers = [{_normal(provider) for provider in distributions.get(name, ())} for name in _imported()]
    imported = set().union(*(names for names in providers if len(names) == 1))
    shared = [names for names in providers if len(names) > 1]  # a namespace such as google
    declared = {_normal(re.split(r"[\[>=<]", line)[0]) for line in PROJECT["project"]["dependencies"]}
    assert imported - {"logstore"} <= declared | {"starlette", "pydantic", "pyyaml"}
    assert [names for names in shared if not names & declared] == []
    assert declared - NOT_IMPORTED_BY_NAME <= imported.union(*shared)


def test_every_dependency_is_pinned_by_name_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    pinned = {_normal(pin.partition("==")[0]) for pin in pins}
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["test"]]
    assert {_normal(re.split(r"[\[>=<]", line)[0]) for line in wanted} <= pinned


def test_the_shell_client_starts_light() -> None:
    code = "import sys, logq.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"httpx", "rich", "pyarrow", "duckdb", "numpy", "pydantic", "asyncio"} == set()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_files_and_functions_fit_a_reader(source: Path) -> None:
    text = source.read_text()
    assert text.count("\n") <= FILE_LINES_MAX
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {node.name: _lines(node) for node in functions if _lines(node) > FUNCTION_LINES_MAX}
    assert long == {}


def test_every_setting_is_documented_as_the_program_tells_it() -> None:
    from server.settings import ServeSettings

    lines = (ROOT / "docs" / "settings.md").read_text().splitlines()
    rows = {line.split(" | ")[0]: line.split(" | ")[-1] for line in lines if line.startswith("| `--")}
    told = {f"| `--{name.replace('_', '-')}`": f"{f.description} |" for name, f in ServeSettings.model_fields.items()}
    assert rows == told


def test_every_route_is_documented() -> None:
    app = (ROOT / "server" / "app.py").read_text()
    paths = set(re.findall(r'"(/(?:api/v1/)?[a-z]+)"', app))
    assert len(paths) > 5
    assert [path for path in paths if path not in _documents()] == []


def _documents() -> str:
    return "\n".join(file.read_text() for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def _imported() -> Iterator[str]:
    """Top-level names of all absolute imports of the packages."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
