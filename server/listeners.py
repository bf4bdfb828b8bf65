"""Where the server listens: the rule for addresses that others can reach, and the socket itself."""

import socket

from logstore.errors import InvalidSettings
from server.settings import ServeSettings

BACKLOG: int = 1024


def require_security(settings: ServeSettings) -> None:
    """Other machines are served only if they must show something, or if the operator says so.

    Raises InvalidSettings.
    """
    address = settings.address
    is_secured = settings.client_ca_file is not None or settings.token_file is not None
    if address.is_loopback or is_secured or settings.insecure:
        return
    raise InvalidSettings(
        f"{address} can be reached from other machines and nothing is asked of them: set token_file or"
        " client_ca_file (with tls_cert_file and tls_private_key_file), listen on 127.0.0.1, or say --insecure"
    )


def bind(settings: ServeSettings) -> socket.socket:
    """A bound socket that does not listen yet. Raises InvalidSettings, which says why there is none."""
    address = settings.address
    try:
        return _bound(address.host, address.port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidSettings(f"cannot listen on {address}: {reason}; choose another --listen") from error


def _bound(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # An empty host is `::` as well as `0.0.0.0`: the first of them serves both where the machine has IPv6.
    for family, kind, protocol, _, place in sorted(found, key=lambda item: item[0] != socket.AF_INET6):
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if not host else 1)
            listener.bind(place)
        except OSError:
            listener.close()
            if len({item[0] for item in found}) > 1 and family == socket.AF_INET6:
                continue
            raise
        return listener
    raise OSError(f"no address for {host!r}")


def url_of(listener: socket.socket, settings: ServeSettings) -> str:
    """What to type to reach it from this machine."""
    port = listener.getsockname()[1]
    host = settings.address.host
    if host in ("", "0.0.0.0", "::"):
        host = "127.0.0.1"
    scheme = "https" if settings.tls_cert_file is not None else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
