"""A question as a key of what is remembered: of one size, whatever it says."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

ENTRY_BYTES: Final = 1_024
"""About what a remembered thing takes beside itself: its key, and its place."""


def digest(asked: object, segments: Sequence[int] = ()) -> bytes:
    """SHA-256 of what was asked, as `repr` writes it, and of segments' ids."""
    found = hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass"))
    found.update(np.array(segments, np.int64).tobytes())
    return found.digest()
