from pathlib import Path

import pytest

from logstore.errors import InvalidSettings
from server.flags import given
from server.main import run
from server.settings import ServeSettings, group_of, load, unknown_variables
from server.shares import pipeline_settings, query_settings, store_settings

MIB = 1024 * 1024


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "logstore.yaml"
    config.write_text("max_body: 1MiB\nmax-line: 2KiB\nflush_age: 7s\n")
    monkeypatch.setenv("LOGSTORE_MAX_BODY", "2MiB")
    monkeypatch.setenv("LOGSTORE_MAX_LINE", "3KiB")
    settings = load({"config": str(config), "max_body": "4MiB"})
    assert (settings.max_body, settings.max_line, settings.flush_age) == (4 * MIB, 3 * 1024, 7.0)


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "logstore.yaml"
    config.write_text("listen: 127.0.0.1:9000\n")
    monkeypatch.setenv("LOGSTORE_CONFIG", str(config))
    assert load().address.port == 9000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_bdy: 1MiB", "unknown setting 'max_bdy'; did you mean max_body?"),
        ("- a\n- b", "must hold a mapping"),
        ("max_body: [", "cannot be read"),
        ("max_body: 5 apples", "setting max_body: unknown unit 'apples'"),
        ("config: other.yaml", "unknown setting 'config'"),
        ("query_concurrency: 0", "setting query_concurrency"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    config = tmp_path / "logstore.yaml"
    config.write_text(content)
    with pytest.raises(InvalidSettings, match=message.replace("?", r"\?")):
        load({"config": str(config)})


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"missing\.yaml cannot be read"):
        load({"config": str(tmp_path / "missing.yaml")})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"max_body": "5x"}, "--max-body: unknown unit 'x'"),
        ({"listen": "here"}, "--listen: 'here' is not HOST:PORT"),
        ({"listen": "::1:80"}, "IPv6 host in brackets"),
        ({"partition_by": "pod"}, "--partition-by"),
        ({"tls_cert_file": "a"}, "tls_cert_file and tls_private_key_file go together"),
        ({"client_ca_file": "a"}, "client_ca_file needs tls_cert_file"),
        ({"ingest_memory": "1MiB"}, "ingest_memory .* must hold a body of max_body"),
        ({"default_cluster": ""}, "--default-cluster: must have 1 to 253 bytes"),
        ({"default_namespace": "x" * 254}, "--default-namespace: must have 1 to 253 bytes"),
        ({"syslog_zone": "Mars/Olympus"}, "--syslog-zone: there is no time zone 'Mars/Olympus' on this machine"),
        ({"query_timeout": "0s"}, "--query-timeout: must be more than 0"),
    ],
)
def test_a_wrong_flag_is_named_as_it_was_given(flags: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        load(flags)


def test_a_wrong_variable_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGSTORE_FLUSH_AGE", "soon")
    with pytest.raises(InvalidSettings, match="LOGSTORE_FLUSH_AGE: 'soon' is not a duration"):
        load()


def test_variables_of_a_kubernetes_service_of_this_name_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {
        "LOGSTORE_PORT": "tcp://10.0.0.1:7117",
        "LOGSTORE_PORT_7117_TCP_ADDR": "10.0.0.1",
        "LOGSTORE_SERVICE_HOST": "10.0.0.1",
        "LOGSTORE_SERVICE_PORT_HTTP": "7117",
    }
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    assert load().address.port == 7117
    assert unknown_variables({**links, "LOGSTORE_MAX_BDY": "1", "LOGSTORE_MAX_BODY": "1"}) == ["LOGSTORE_MAX_BDY"]


def test_an_identity_file_reaches_the_decoders(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text("words: {namespace: [team.name]}")
    assert pipeline_settings(load({"identity_file": str(file)})).identity.targets["team_name"] == ("namespace", 0)
    with pytest.raises(InvalidSettings, match=r"identity file .* cannot be read"):
        pipeline_settings(load({"identity_file": str(tmp_path / "none")}))


def test_every_setting_is_described_grouped_and_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(["serve", "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    for name, field in ServeSettings.model_fields.items():
        assert field.description, name
        assert group_of(name), name
        assert f"--{name.replace('_', '-')}" in text


def test_shares_of_memory_follow_the_whole() -> None:
    small, large = load({"memory": "128MiB", "max_body": "8MiB"}), load({"memory": "4GiB"})
    assert store_settings(small).buffer_bytes < store_settings(large).buffer_bytes
    assert query_settings(small).memory_bytes < query_settings(large).memory_bytes
    shares = (
        store_settings(small).buffer_bytes + store_settings(small).pending_bytes + store_settings(small).recent_bytes
    )
    assert shares + query_settings(small).memory_bytes + small.ingest_memory_bytes <= 128 * MIB


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--max-bdy", "1"], "unknown flag --max-bdy; did you mean --max-body?"),
        (["serve", "--max-body", "x"], "--max-body: 'x' is not a size"),
        (["serve", "somewhere"], "unexpected argument 'somewhere'"),
        (["serv"], "invalid choice: 'serv'"),
        (["serve", "--max-body"], "--max-body: expected one argument"),
        (["check", "--data", "/nonexistent"], "/nonexistent holds no logstore data"),
        (["serve", "--listen", "0.0.0.0:0"], "say --insecure"),
        (["serve", "--listen", ":0"], "token_file or client_ca_file"),
        (["serve", "--token-file", "/nonexistent"], "/nonexistent cannot be read"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run(arguments)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    assert code == 2
    assert message in capsys.readouterr().err


def test_flags_not_given_are_not_in_the_settings() -> None:
    import argparse

    assert given(argparse.Namespace(max_body="1MiB", command=None)) == {"max_body": "1MiB"}
