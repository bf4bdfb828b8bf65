"""Where the server listens: the rule for addresses that others can reach, and the sockets themselves."""

import socket
from collections.abc import Iterator
from typing import Final

from logstore.errors import InvalidSettings
from server.address import Address, Endpoint
from server.settings import DATAGRAM_LISTENERS, STREAM_LISTENERS, ServeSettings

BACKLOG: Final = 1024
_WITH_TOKENS: Final = frozenset({"listen", "otlp_grpc_listen", "forward_listen"})
DATAGRAM_BUFFER_BYTES: Final = 8 << 20
"""What the kernel may keep of datagrams while the server starts or is busy; net.core.rmem_max may allow less."""


def require_security(settings: ServeSettings) -> None:
    """Other machines are served only if they must show something, or if the operator says so.

    Raises InvalidSettings.
    """
    if settings.insecure:
        return
    for name, endpoint in _endpoints(settings):
        if not endpoint.address.is_loopback and not _asks(name, endpoint, settings):
            raise InvalidSettings(
                f"{name} {endpoint} can be reached from other machines and nothing is asked of them:"
                f" {_remedy(name)}, listen on 127.0.0.1, or say --insecure"
            )


def bind(settings: ServeSettings) -> socket.socket:
    """A bound socket for HTTP that does not listen yet. Raises InvalidSettings, which says why there is none."""
    return bind_to(settings.address, "listen")


def bind_to(address: Address, setting: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A bound socket; a stream does not listen yet. Raises InvalidSettings, which names the setting."""
    try:
        return _bound(address.host, address.port, kind)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        flag = "--" + setting.replace("_", "-")
        raise InvalidSettings(f"cannot listen on {address}: {reason}; choose another {flag}") from error


def url_of(listener: socket.socket, settings: ServeSettings) -> str:
    """What to type to reach it from this machine."""
    port = listener.getsockname()[1]
    host = settings.address.host
    if host in ("", "0.0.0.0", "::"):
        host = "127.0.0.1"
    scheme = "https" if settings.tls_cert_file is not None else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _endpoints(settings: ServeSettings) -> Iterator[tuple[str, Endpoint]]:
    yield "listen", Endpoint(settings.address, is_tls=settings.tls_cert_file is not None)
    for name in (*STREAM_LISTENERS, *DATAGRAM_LISTENERS):
        for endpoint in settings.endpoints(name):
            yield name, endpoint


def _asks(name: str, endpoint: Endpoint, settings: ServeSettings) -> bool:
    """Whether a sender must show something: its certificate, a token, a shared key."""
    if endpoint.is_tls and settings.client_ca_file is not None:
        return True
    if name == "forward_listen" and settings.forward_shared_key_file is not None:
        return True
    return name in _WITH_TOKENS and settings.token_file is not None


def _remedy(name: str) -> str:
    certificates = "client_ca_file (with tls_cert_file and tls_private_key_file)"
    if name == "listen":
        return f"set token_file or {certificates}"
    if name == "otlp_grpc_listen":
        return f"set token_file, or listen on tls://… and set {certificates}"
    if name == "forward_listen":
        return f"set forward_shared_key_file or token_file, or listen on tls://… and set {certificates}"
    if name in STREAM_LISTENERS:
        return f"its senders have neither tokens nor keys, so listen on tls://… and set {certificates}"
    return "its datagrams carry nothing that could be asked for, so listen over TCP with tls://… and client_ca_file"


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=kind, flags=socket.AI_PASSIVE)
    # An empty host is `::` as well as `0.0.0.0`: the first of them serves both where the machine has IPv6.
    for family, type_, protocol, _, place in sorted(found, key=lambda item: item[0] != socket.AF_INET6):
        listener = socket.socket(family, type_, protocol)
        try:
            _prepare(listener, is_for_all=not host)
            listener.bind(place)
        except OSError:
            listener.close()
            if len({item[0] for item in found}) > 1 and family == socket.AF_INET6:
                continue
            raise
        return listener
    raise OSError(f"no address for {host!r}")


def _prepare(listener: socket.socket, *, is_for_all: bool) -> None:
    if listener.type == socket.SOCK_STREAM:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER_BYTES)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if is_for_all else 1)
