"""`logstore healthcheck`: for the HEALTHCHECK of a container and for scripts."""

import argparse
import http.client
import ssl

from server.flags import add_settings, given
from server.settings import ServeSettings, load

TIMEOUT_S = 5.0


def add(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, ("listen", "config", "tls_cert_file", "tls_private_key_file", "client_ca_file"))
    parser.epilog = (
        "Asks GET /readyz on this machine, by the server's own settings. Exit code 0: ready, 1: not.\n"
        "With client_ca_file it shows the server's own certificate, which the CA must have signed too."
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load(given(arguments))
    connection = _connection(settings)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(4096).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        print(f"{settings.address}: not reachable: {error}")
        return 1
    finally:
        connection.close()
    print(f"{settings.address}: {text}")
    return 0 if answer.status == 200 else 1


def _connection(settings: ServeSettings) -> http.client.HTTPConnection:
    address = settings.address
    host = "127.0.0.1" if address.host in ("", "0.0.0.0", "::") else address.host
    if settings.tls_cert_file is None or settings.tls_private_key_file is None:
        return http.client.HTTPConnection(host, address.port, timeout=TIMEOUT_S)
    # It asks this machine whether it is alive; who it is was settled by whoever wrote the settings.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if settings.client_ca_file is not None:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_private_key_file)
    return http.client.HTTPSConnection(host, address.port, timeout=TIMEOUT_S, context=context)
