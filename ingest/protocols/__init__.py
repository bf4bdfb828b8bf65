"""The protocols that agents speak: one file each with a `decode`, and one line here."""

from collections.abc import Mapping
from typing import Final

from ingest.protocols import native
from ingest.request import Decode

PROTOCOLS: Final[Mapping[str, Decode]] = {
    "native": native.decode,
}
"""Decoders by the name that routes and metrics use."""
