import base64
import os
from pathlib import Path

import pytest

from logstore.errors import InvalidSettings
from server import auth
from server.auth import Tokens


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text("# team a\nalpha-token\n\n  beta-token  \n")
    return path


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        "Bearer alpha-token",
        "bearer alpha-token",
        "Bearer  beta-token ",
        "Bearer 12345:alpha-token",
        basic("anyone", "alpha-token"),
        basic("", "beta-token"),
    ],
)
def test_a_token_of_the_file_opens(token_file: Path, header: str) -> None:
    assert Tokens(token_file).admit(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer alpha",
        "Bearer alpha-token2",
        "Bearer alpha-token:",
        "Bearer alpha-token:12345",
        "alpha-token",
        "Token alpha-token",
        "Bearer # team a",
        "Basic alpha-token",
        "Basic !!!",
        basic("alpha-token", ""),
        basic("alpha-token", "wrong"),
        "Bearer \xff\xfe",
        "Bearer " + "x" * 100_000,
    ],
)
def test_anything_else_does_not(token_file: Path, header: str | None) -> None:
    assert not Tokens(token_file).admit(header)


def test_a_changed_file_counts(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "CHECK_INTERVAL_S", 0.0)
    tokens = Tokens(token_file)
    replacement = token_file.with_name("new")
    replacement.write_text("gamma-token\n")
    replacement.rename(token_file)
    assert tokens.admit("Bearer gamma-token")
    assert not tokens.admit("Bearer alpha-token")


def test_a_file_that_cannot_be_used_any_more_leaves_the_former_tokens(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CHECK_INTERVAL_S", 0.0)
    tokens = Tokens(token_file)
    token_file.write_text("# none\n")
    assert tokens.admit("Bearer alpha-token")
    token_file.unlink()
    assert tokens.admit("Bearer alpha-token")


def test_a_file_without_tokens_is_an_error_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# nothing yet\n")
    with pytest.raises(InvalidSettings, match="holds no token"):
        Tokens(path)
    if os.geteuid() != 0:
        path.chmod(0)
        with pytest.raises(InvalidSettings, match="cannot be read"):
            Tokens(path)
