"""Time zones as settings."""

from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def zone_of(name: str) -> tzinfo:
    """The zone of a name such as Europe/Berlin. Raises ValueError, which says what would be right."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r} on this machine; write UTC, or one like Europe/Berlin"
        ) from None


def _checked(name: str) -> str:
    zone_of(name)
    return name


Zone = Annotated[str, AfterValidator(_checked)]
"""A setting that names a time zone."""
