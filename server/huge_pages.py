"""Huge pages for what malloc gives out. glibc takes the wish from the environment only, before a program starts."""

import contextlib
import os
import sys
from typing import Final

TUNABLES: Final = "GLIBC_TUNABLES"
HUGE_PAGES: Final = "glibc.malloc.hugetlb=1"
"""Transparent ones, where the kernel has them (glibc manual, "Memory Allocation Tunables")."""


def ask() -> None:
    """Starts the program once more in this process, with the wish; returns where there is one already.

    Memory that grows 4 KiB at a time, each page zeroed by itself, was a twelfth of the CPU of ingest.
    """
    if sys.platform != "linux" or TUNABLES in os.environ:
        return
    os.environ[TUNABLES] = HUGE_PAGES
    with contextlib.suppress(OSError):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
