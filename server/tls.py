"""The TLS side of the listener: `--tls-cert-file`, `--tls-private-key-file`, `--client-ca-file`."""

import ssl
from pathlib import Path

from logstore.errors import InvalidSettings
from server.settings import ServeSettings


def server_context(settings: ServeSettings) -> ssl.SSLContext | None:
    """The context to serve with, or None without TLS.

    With a client CA every client must show a certificate signed by it, or the handshake fails.
    Raises InvalidSettings, which names the file that cannot be used and why.
    """
    if settings.tls_cert_file is None or settings.tls_private_key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, settings.tls_cert_file, settings.tls_private_key_file)
    if settings.client_ca_file is not None:
        _load_authorities(context, settings.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    for name, path in (("tls_cert_file", cert_file), ("tls_private_key_file", key_file)):
        _require_readable(name, path)
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise InvalidSettings(
            f"{cert_file} and {key_file} are no PEM certificate and its own unencrypted private key:"
            f" {reason}; mend tls_cert_file or tls_private_key_file"
        ) from error


def _load_authorities(context: ssl.SSLContext, ca_file: Path) -> None:
    _require_readable("client_ca_file", ca_file)
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise InvalidSettings(f"client_ca_file {ca_file} holds no PEM certificate ({error.reason})") from error


def _require_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise InvalidSettings(f"{name} {path} cannot be read: {error.strerror}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted")
