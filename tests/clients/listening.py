"""A server that speaks a protocol which is not HTTP, over UDP, TCP and TLS."""

from dataclasses import dataclass
from pathlib import Path

from tests.server.certificates import Pair, authority, signed
from tests.serving import ServerProcess, free_port


@dataclass(frozen=True, slots=True)
class Listening:
    """The server, and where it listens."""

    server: ServerProcess
    udp: int
    tcp: int
    tls: int
    ca: Pair


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
