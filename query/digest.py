"""A question as a key of what is remembered: of one size, whatever it says."""

import hashlib
from typing import Final

import numpy as np

from logstore.order import Ints

ENTRY_BYTES: Final = 1_024
"""About what a remembered thing takes beside itself: its key, and its place."""
_NONE: Final = np.zeros(0, np.int64)


def digest(asked: object, segments: Ints = _NONE) -> bytes:
    """SHA-256 of what was asked, as `repr` writes it, and of segments' ids."""
    found = hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass"))
    found.update(segments.tobytes())
    return found.digest()
