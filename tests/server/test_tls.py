"""TLS and client certificates, as a client meets them."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from logstore.errors import InvalidSettings
from server.settings import load
from server.tls import server_context
from tests.server.certificates import Pair, authority, signed
from tests.serving import ServerProcess


class Certificates:
    def __init__(self, directory: Path) -> None:
        self.ca = authority(directory, "ca")
        self.server = signed(directory, "server", self.ca)
        self.client = signed(directory, "client", self.ca)
        self.stranger = signed(directory, "stranger", authority(directory, "other-ca"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for client certificates."""
    process = ServerProcess(
        tmp_path_factory.mktemp("tls") / "data",
        *("--tls-cert-file", str(certificates.server.cert), "--tls-private-key-file", str(certificates.server.key)),
        *("--client-ca-file", str(certificates.ca.cert)),
    )
    process.url = process.url.replace("http:", "https:")
    process.client = client(process.url, certificates, certificates.client)
    with process:
        yield process


def client(url: str, certificates: Certificates, pair: Pair | None) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(certificates.ca.cert))
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return httpx.Client(base_url=url, verify=context, timeout=10)


def test_a_client_with_a_certificate_of_the_ca_is_served(server: ServerProcess) -> None:
    assert server.client.get("/api/v1/streams").json() == {"streams": []}


def test_a_client_without_a_certificate_is_refused_at_the_handshake(
    server: ServerProcess, certificates: Certificates
) -> None:
    with client(server.url, certificates, None) as bare, pytest.raises(httpx.TransportError):
        bare.get("/healthz")


def test_a_client_with_a_certificate_of_another_ca_is_refused(
    server: ServerProcess, certificates: Certificates
) -> None:
    with client(server.url, certificates, certificates.stranger) as stranger, pytest.raises(httpx.TransportError):
        stranger.get("/healthz")


def test_plain_http_is_no_way_in(server: ServerProcess) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(server.url.replace("https:", "http:") + "/healthz")


@pytest.mark.parametrize("wrong", ["swapped", "mismatched", "missing", "no certificate"])
def test_files_that_are_no_pair_are_named(certificates: Certificates, tmp_path: Path, wrong: str) -> None:
    cert, key = certificates.server.cert, certificates.server.key
    if wrong == "swapped":
        cert, key = key, cert
    elif wrong == "mismatched":
        key = certificates.client.key
    elif wrong == "missing":
        key = tmp_path / "missing.key"
    settings = load({"tls_cert_file": str(cert), "tls_private_key_file": str(key)})
    if wrong == "no certificate":
        (tmp_path / "empty.crt").write_text("nothing\n")
        settings = load({**settings.model_dump(), "client_ca_file": str(tmp_path / "empty.crt")})
    with pytest.raises(InvalidSettings, match=r"tls_cert_file|tls_private_key_file|client_ca_file"):
        server_context(settings)
