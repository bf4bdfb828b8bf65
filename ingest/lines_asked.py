"""The words by which users ask for lines: of the settings, and of requests."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from logstore.errors import InvalidInput

CRI: Final = 1
DOCKER: Final = 2
FORMATS: Final = {"off": 0, "cri": CRI, "docker": DOCKER, "auto": CRI | DOCKER}
LANGUAGES: Final = {"java": 1, "python": 2, "go": 4, "dotnet": 8, "node": 16, "ruby": 32}
"""Mirrors `enum trace_language` of logstore/native/trace_lines.h."""
AGENTS: Final = "agents"
"""Of the setting: `auto` for every protocol but POST /api/v1/logs, whose messages are what they are."""


@dataclass(frozen=True, slots=True)
class LinesSettings:
    """What holds where a request does not say it: one of `FORMATS` or `AGENTS`; `off`, `auto` or of `LANGUAGES`."""

    unwrap: str = AGENTS
    multiline: str = "off"


@dataclass(frozen=True, slots=True)
class Asked:
    """Bits of `FORMATS` and of `LANGUAGES`; 0: messages stay as they are."""

    formats: int = 0
    languages: int = 0


def formats_of(word: str) -> int:
    """Raises InvalidInput."""
    if word not in FORMATS:
        raise InvalidInput(f"unwrap: {word!r} is none of {', '.join(FORMATS)}")
    return FORMATS[word]


@lru_cache(maxsize=64)
def languages_of(words: str) -> int:
    """Of `off`, `auto`, or names with commas between. Raises InvalidInput."""
    if words == "off":
        return 0
    if words == "auto":
        return sum(LANGUAGES.values())
    names = {name.strip() for name in words.split(",")}
    for name in sorted(names):
        if name not in LANGUAGES:
            raise InvalidInput(f"multiline: {name!r} is none of off, auto, {', '.join(LANGUAGES)}")
    return sum(LANGUAGES[name] for name in names)
