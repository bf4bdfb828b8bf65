"""The real log lines of tests/data/loghub."""

import gzip
from functools import cache
from pathlib import Path

SYSTEMS = ("apache", "hdfs", "linux", "openssh", "openstack", "zookeeper")


@cache
def lines(system: str) -> tuple[str, ...]:
    """About 2,000 lines of one system, exact but for the newline that ends each (one has \\r before it)."""
    path = Path(__file__).parent / "data" / "loghub" / f"{system}.log.gz"
    return tuple(gzip.decompress(path.read_bytes()).decode().removesuffix("\n").split("\n"))
