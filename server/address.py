"""`HOST:PORT` as settings write it."""

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

TLS_SCHEME: Final = "tls://"
"""How a setting says that a listener speaks TLS from the first byte."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; an empty host means every interface."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`127.0.0.1:7117`, `[::1]:7117`, `localhost:0`, `:7117`. Raises ValueError."""
        host, colon, port = text.strip().rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:7117, [::1]:7117 or :7117")
        if host.startswith("[") and host.endswith("]"):
            return cls(host[1:-1], int(port))
        if ":" in host:
            raise ValueError(f"{text!r} is not HOST:PORT: write an IPv6 host in brackets, such as [::1]:7117")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Only programs on this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a protocol that is not HTTP is listened for, and whether within TLS."""

    address: Address
    is_tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """`HOST:PORT`, or `tls://HOST:PORT`. Raises ValueError."""
        stripped = text.strip()
        bare = stripped.removeprefix(TLS_SCHEME)
        return cls(Address.parse(bare), bare != stripped)

    def __str__(self) -> str:
        return f"{TLS_SCHEME}{self.address}" if self.is_tls else str(self.address)


def parse_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Several, with commas between them. Raises ValueError."""
    return tuple(Endpoint.parse(part) for part in text.split(",") if part.strip())
