"""Kernels that find no memory give back what they had."""

import subprocess
import sys

import pytest

_LIMITED = """
import resource
from pathlib import Path

from ingest.frames import take_ended
from ingest.protocols.journald.export import Export

MiB = 1 << 20

def used_bytes():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

def frames():
    take_ended(documents, 0, 10, last=0)

def journal():
    Export(1000, 1000).feed(entries)

# Room for as much as comes, none for the more that becomes of it.
documents, entries = b"x\\0" * (20 * MiB), b"A=\\n\\n" * (10 * MiB)
before = used_bytes()
resource.setrlimit(resource.RLIMIT_AS, (before + 56 * MiB, before + 56 * MiB))
for _ in range(3):
    try:
        KERNEL()
    except MemoryError:
        continue
    raise AssertionError("there was enough memory")
assert used_bytes() < before + 8 * MiB, used_bytes() - before
"""


@pytest.mark.parametrize("kernel", ["frames", "journal"])
def test_a_kernel_that_finds_no_memory_gives_back_what_it_had(kernel: str) -> None:
    subprocess.run([sys.executable, "-c", _LIMITED.replace("KERNEL", kernel)], check=True)
