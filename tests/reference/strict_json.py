"""JSON as every reader may expect it: checked, not merely parsed."""

import json
from typing import Any

from tests.reference.records import Number


def strict_object(text: str) -> dict[str, Any]:
    """The object, numbers as written; fails where keys repeat or a surrogate stands alone."""
    found = json.loads(text, object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_constant)
    assert isinstance(found, dict)
    json.dumps(found, ensure_ascii=False).encode()
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    assert len(unique) == len(pairs), f"repeated key in {pairs}"
    return unique


def _constant(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")
