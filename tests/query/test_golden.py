"""What queries parse and compile to, as text: reviewed as a diff, rewritten by `pytest --update-golden`.

A file of tests/golden has the query, then, each after a line of dashes, its tree, its SQL and the SQL's parameters.
"""

import json
import re
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from query.parser import parse
from query.sql import compile  # noqa: A004

GOLDEN = Path(__file__).parent.parent / "golden"
NOW_NS = 1_700_000_000_000_000_000
LINE = "\n" + "-" * 40 + "\n"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.lq")), ids=lambda path: path.stem)
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text(encoding="utf-8").split(LINE)[0].rstrip("\n")
    query = parse(text, NOW_NS)
    compiled = compile(query)
    params = json.dumps(compiled.params, ensure_ascii=False)
    found = LINE.join([text, outline(query), sql_lines(compiled.sql), params]) + "\n"
    if request.config.getoption("--update-golden"):
        path.write_text(found, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == found


def outline(node: Any, depth: int = 0) -> str:
    """The tree, a node a line; places and clocks are left out."""
    if isinstance(node, tuple):
        return "".join(f"\n{'  ' * depth}- {outline(item, depth + 1).lstrip()}" for item in node)
    if isinstance(node, Enum):
        return str(node.value)
    if not hasattr(node, "__dataclass_fields__"):
        return repr(node)
    parts = [(f.name, getattr(node, f.name)) for f in fields(node) if f.compare]
    inline = [f"{name}={outline(value)}" for name, value in parts if not _is_large(value)]
    large = [f"\n{'  ' * depth}  {name}:{_after_colon(value, depth + 2)}" for name, value in parts if _is_large(value)]
    return f"{type(node).__name__}({', '.join(inline)}){''.join(large)}"


def _after_colon(value: Any, depth: int) -> str:
    shown = outline(value, depth)
    return shown if shown.startswith("\n") else f" {shown}"


def _is_large(value: Any) -> bool:
    """Whether it has nodes inside its nodes' tuples, and so needs lines of its own."""
    if isinstance(value, tuple):
        return any(hasattr(item, "__dataclass_fields__") for item in value)
    parts = getattr(value, "__dataclass_fields__", {}).values()
    return any(_is_large(getattr(value, part.name)) for part in parts if part.compare)


def sql_lines(sql: str) -> str:
    return re.sub(r" (FROM|WHERE|GROUP BY|ORDER BY|LIMIT) ", r"\n\1 ", sql)
