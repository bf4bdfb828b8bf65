"""The YAML file with settings."""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from logstore.errors import InvalidSettings


def read(path: Path, known: Collection[str]) -> dict[str, Any]:
    """The settings in a file, all of which are `known`. Raises InvalidSettings."""
    import yaml  # type: ignore[import-untyped]

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidSettings(f"config file {path} cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidSettings(f"config file {path} must hold a mapping of settings, not {type(content).__name__}")
    settings = {str(key).replace("-", "_"): value for key, value in content.items()}
    for key in settings:
        if key not in known or key == "config":
            raise InvalidSettings(f"config file {path}: unknown setting {key!r}{nearest(key, known)}")
    return settings


def nearest(name: str, known: Collection[str]) -> str:
    """`; did you mean …?` where one of the known settings has nearly this name, else nothing."""
    found = difflib.get_close_matches(name.replace("-", "_").lower(), list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
