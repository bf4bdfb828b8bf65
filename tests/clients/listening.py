"""A server that speaks a protocol which is not HTTP, over UDP, TCP and TLS."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.server.certificates import Pair, authority, signed
from tests.serving import ServerProcess, free_port

WITHIN_S: Final = 30.0
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Listening:
    """The server, and where it listens."""

    server: ServerProcess
    udp: int
    tcp: int
    tls: int
    ca: Pair

    def records(self, q: str) -> list[dict[str, Any]]:
        """What it has, in the order in which it happened."""
        return [json.loads(line) for line in self.server.query(q, order="asc", limit=0).text.splitlines()]

    def await_records(self, q: str, count: int, within_s: float = WITHIN_S) -> list[dict[str, Any]]:
        """Returns once there are so many: clients of these protocols are told of nothing."""
        deadline_s = time.monotonic() + within_s
        while len(found := self.records(q)) < count:
            assert time.monotonic() < deadline_s, f"{len(found)} of {count} records came\n{self.server.log_tail()}"
            time.sleep(POLL_S)
        assert len(found) == count
        return found


def listening(directory: Path, protocol: str, *, is_tls: bool = True) -> Listening:
    """Not started yet. With TLS, HTTP has it too."""
    udp, tcp, tls = free_port(), free_port(), free_port()
    ca = authority(directory, "ca")
    pair = signed(directory, "server", ca)
    addresses = f"127.0.0.1:{tcp},tls://127.0.0.1:{tls}" if is_tls else f"127.0.0.1:{tcp}"
    certificate = ("--tls-cert-file", str(pair.cert), "--tls-private-key-file", str(pair.key)) if is_tls else ()
    server = ServerProcess(
        directory / "data",
        *certificate,
        *(f"--{protocol}-udp-listen", f"127.0.0.1:{udp}", f"--{protocol}-tcp-listen", addresses),
    )
    if is_tls:
        server.use_tls(ca.cert)
    return Listening(server, udp, tcp, tls, ca)
