"""Addresses of protocols that are not HTTP: how they are written, and when other machines may reach them."""

from pathlib import Path

import pytest

from logstore.errors import InvalidSettings
from server.address import Address, Endpoint
from server.listeners import bind_to, require_security
from server.settings import DATAGRAM_LISTENERS, STREAM_LISTENERS, load

CERTIFICATE = {"tls_cert_file": "server.crt", "tls_private_key_file": "server.key"}
CLIENT_CA = {**CERTIFICATE, "client_ca_file": "ca.crt"}
LISTENERS = (*STREAM_LISTENERS, *DATAGRAM_LISTENERS)


def test_one_setting_may_name_several_addresses_with_and_without_tls() -> None:
    settings = load({"syslog_tcp_listen": "127.0.0.1:5514, tls://[::1]:6514,tls://:7514", **CERTIFICATE})
    assert settings.endpoints("syslog_tcp_listen") == (
        Endpoint(Address("127.0.0.1", 5514)),
        Endpoint(Address("::1", 6514), is_tls=True),
        Endpoint(Address("", 7514), is_tls=True),
    )


def test_none_is_spoken_unless_asked_for() -> None:
    assert [load().endpoints(name) for name in LISTENERS] == [()] * len(LISTENERS)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"forward_listen": "24224"}, "--forward-listen: '24224' is not HOST:PORT"),
        ({"forward_listen": "tls://127.0.0.1:24224"}, "forward_listen says tls://, which needs tls_cert_file"),
        ({"syslog_udp_listen": "tls://127.0.0.1:514", **CERTIFICATE}, "there is no TLS over UDP"),
        ({"gelf_tcp_listen": "http://127.0.0.1:12201"}, "is not HOST:PORT"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(flags: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        load(flags)


@pytest.mark.parametrize("name", LISTENERS)
def test_other_machines_are_refused_where_nothing_is_asked_of_them(name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{name} .*:5000 can be reached from other machines.*say --insecure"):
        require_security(load({name: ":5000"}))
    with pytest.raises(InvalidSettings, match=f"{name} 0.0.0.0:5001"):
        require_security(load({name: "127.0.0.1:5000,0.0.0.0:5001"}))


@pytest.mark.parametrize("name", LISTENERS)
def test_an_operator_may_say_that_this_is_meant(name: str) -> None:
    require_security(load({name: ":5000", "insecure": "true"}))
    require_security(load({name: "127.0.0.1:5000,[::1]:5000"}))


@pytest.mark.parametrize("name", STREAM_LISTENERS)
def test_client_certificates_are_enough_where_tls_asks_for_them(name: str) -> None:
    require_security(load({name: "tls://:5000", **CLIENT_CA}))
    with pytest.raises(InvalidSettings, match="client_ca_file"):
        require_security(load({name: "tls://:5000", **CERTIFICATE}))
    with pytest.raises(InvalidSettings, match=r"listen on tls://"):
        require_security(load({name: "tls://:5000,:5001", **CLIENT_CA}))


def test_tokens_are_enough_for_otlp_and_forward_and_shared_keys_for_forward() -> None:
    with_tokens = ("otlp_grpc_listen", "forward_listen")
    for name in with_tokens:
        require_security(load({name: ":5000", "token_file": "tokens"}))
    with pytest.raises(InvalidSettings, match=r"otlp_grpc_listen :5000 .*set token_file"):
        require_security(load({"otlp_grpc_listen": ":5000", "forward_shared_key_file": "keys"}))
    require_security(load({"forward_listen": ":5000", "forward_shared_key_file": "keys"}))
    for name in {*LISTENERS} - {*with_tokens}:
        with pytest.raises(InvalidSettings, match=r"neither tokens nor keys|nothing that could be asked for"):
            require_security(load({name: ":5000", "token_file": "tokens", "forward_shared_key_file": "keys"}))


def test_an_address_in_use_names_its_flag() -> None:
    with bind_to(Address("127.0.0.1", 0), "syslog_tcp_listen") as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSettings, match=rf"127.0.0.1:{port}: Address already in use; .*--syslog-tcp-listen"):
            bind_to(Address("127.0.0.1", port), "syslog_tcp_listen")


def test_files_of_keys_must_be_there(tmp_path: Path) -> None:
    from server.listening import spoken

    with pytest.raises(InvalidSettings, match="keys cannot be read"):
        spoken(load({"forward_listen": ":0", "forward_shared_key_file": str(tmp_path / "keys")}), None)
