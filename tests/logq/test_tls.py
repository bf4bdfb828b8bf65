"""HTTPS with an authority of one's own, and client certificates."""

import subprocess
from pathlib import Path

import pytest

from tests.logq.programs import logq
from tests.serving import ServerProcess

SUBJECT = "/CN=logstore"


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.crt, and signed by it server.crt and client.crt with their keys."""
    home = tmp_path_factory.mktemp("certificates")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=an authority", cwd=home)
    (home / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", *new[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", SUBJECT, cwd=home)
        sign = ("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
        openssl(*sign, "-out", f"{name}.crt", "-days", "2", "-extfile", "names", cwd=home)
    return home


def test_certificates_both_ways(certificates: Path, tmp_path: Path) -> None:
    flags = {
        "--tls-cert-file": "server.crt",
        "--tls-private-key-file": "server.key",
        "--client-ca-file": "ca.crt",
    }
    server = ServerProcess(
        tmp_path / "data", *(part for flag, file in flags.items() for part in (flag, str(certificates / file)))
    )
    url = server.url.replace("http://", "https://")
    ca = ("--ca-file", str(certificates / "ca.crt"))
    own = ("--client-cert", str(certificates / "client.crt"), "--client-key", str(certificates / "client.key"))
    server.spawn()
    try:
        pushed = logq(["push", "--pod", "web-1", "--retry", "30s", *ca, *own], tmp_path, url, stdin=b"safe\n")
        assert pushed.status == 0, pushed.err
        assert logq(["logs", "web-1", *ca, *own], tmp_path, url).out == b"safe\n"
        unknown = logq(["logs", "web-1"], tmp_path, url)
        assert (unknown.status, "not trusted" in unknown.err, "--ca-file" in unknown.err) == (2, True, True)
        assert logq(["logs", "web-1", *ca], tmp_path, url).status == 2
        assert logq(["logs", "web-1"], tmp_path, server.url).status == 2
    finally:
        server.kill()
        server.client.close()
