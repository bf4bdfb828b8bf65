"""Which server is asked: flag, environment, context, default; and what is wrong with what cannot be used."""

from pathlib import Path

import pytest

from tests.logq.programs import Done, logq
from tests.logq.standin import Prepared, StandIn

EMPTY = Prepared([b'{"streams": []}'])


def write_config(home: Path, text: str) -> Path:
    path = home / ".config" / "logq" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def streams(home: Path, url: str, *flags: str, **more: str) -> Done:
    return logq(["streams", *flags], home, url, **more)


def test_a_context_names_server_token_and_namespace(standin: StandIn, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    write_config(
        tmp_path,
        f'current = "here"\n[contexts.here]\nserver = "{standin.url}"\ntoken-file = "{tmp_path}/token"\n'
        'namespace = "shop"\n[contexts.there]\nserver = "http://127.0.0.1:1"\n',
    )
    seen: list[str | None] = []
    standin.on_headers = lambda headers: seen.append(headers["Authorization"])
    standin.answer = lambda path, params: Prepared([])
    assert logq(["x", "--since", "all"], tmp_path, "").status == 1
    assert standin.requests[-1][1]["q"] == 'namespace="shop" and (x)'
    assert seen == ["Bearer s3cret"]
    assert "cannot reach http://127.0.0.1:1" in logq(["x", "--context", "there"], tmp_path, "").err
    assert logq(["x", "--context", "there"], tmp_path, "", LOGQ_CONTEXT="here").status == 2


def test_a_token_goes_only_to_the_server_it_belongs_to(standin: StandIn, tmp_path: Path) -> None:
    write_config(tmp_path, 'current = "a"\n[contexts.a]\nserver = "http://127.0.0.1:1"\ntoken = "s3cret"\n')
    seen: list[str | None] = []
    standin.on_headers = lambda headers: seen.append(headers["Authorization"])
    standin.answer = lambda path, params: EMPTY
    streams(tmp_path, standin.url)
    streams(tmp_path, "", "--server", standin.url)
    streams(tmp_path, standin.url, LOGQ_TOKEN="other")
    streams(tmp_path, standin.url, "--token", "third", LOGQ_TOKEN="other")
    assert seen == [None, None, "Bearer other", "Bearer third"]


def test_contexts_are_listed_and_switched(tmp_path: Path) -> None:
    path = write_config(tmp_path, '# mine\n[contexts.a]\nserver = "http://a"\n[contexts.b]\nserver = "http://b"\n')
    assert logq(["contexts"], tmp_path, "").out == b"  a  http://a\n  b  http://b\n"
    assert logq(["contexts", "use", "b"], tmp_path, "").status == 0
    assert logq(["contexts"], tmp_path, "").out == b"  a  http://a\n* b  http://b\n"
    assert logq(["contexts", "use", "a"], tmp_path, "").status == 0
    assert path.read_text().startswith('current = "a"\n# mine\n')
    unknown = logq(["contexts", "use", "c"], tmp_path, "")
    assert (unknown.status, "there are: a, b" in unknown.err) == (2, True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:7117", "did you mean http://localhost:7117"),
        ("ftp://x", "must begin with http:// or https://"),
        ("http://", "must be only scheme, host, port and path"),
        ("http://h:99999", "bad server URL"),
        ("http://h:x", "bad server URL"),
        ("http://user:pw@h", "must be only scheme"),
        ("http://h?x", "must be only scheme"),
    ],
)
def test_a_bad_url_says_what_is_wrong(tmp_path: Path, url: str, told: str) -> None:
    done = streams(tmp_path, url)
    assert done.status == 2
    assert told in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("current = ", "config.toml: Invalid"),
        ("curent = 'a'", "unknown key 'curent'"),
        ("[contexts.a]\nurl = 'x'", "unknown key 'url'"),
        ("[contexts.a]\nserver = 7", "must be a string"),
        ("current = 'b'\n[contexts.a]\nserver = 'http://x'", "no context 'b'"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    write_config(tmp_path, text)
    done = streams(tmp_path, "")
    assert done.status == 2
    assert told in done.err


def test_a_path_in_the_url_is_kept(standin: StandIn, tmp_path: Path) -> None:
    standin.answer = lambda path, params: EMPTY
    streams(tmp_path, f"{standin.url}/logs/")
    assert standin.requests[-1][0] == "/logs/api/v1/streams"


def test_missing_certificate_files_are_named(tmp_path: Path) -> None:
    done = streams(tmp_path, "https://127.0.0.1:1", "--ca-file", "/no/such/ca.crt")
    assert (done.status, "no such file: /no/such/ca.crt" in done.err) == (2, True)
