"""The pages for senders: each is found, says what it must, and names only what there is."""

import json
import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from ingest.protocols import PROTOCOLS
from ingest.request import Head
from server.mounts import Mounts
from server.settings import ServeSettings

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGES: Final = sorted((DOCS / "agents").glob("*.md"))
INDEX: Final = DOCS / "protocols.md"
WITH_INDEX: Final = [*PAGES, INDEX]


def name(path: Path) -> str:
    return path.stem


def blocks(page: Path, language: str) -> list[str]:
    """The page's code blocks in a language, or in none."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [text for named, text in every if named == language]


def test_every_page_is_linked_from_the_index_and_the_index_from_the_interface() -> None:
    linked = set(re.findall(r"\]\(agents/([\w-]+)\.md\)", INDEX.read_text()))
    assert linked == {page.stem for page in PAGES}
    assert "(protocols.md)" in (DOCS / "http.md").read_text()


def test_every_page_of_a_protocol_is_linked_from_the_index() -> None:
    linked = set(re.findall(r"\]\(protocols/([\w-]+)\.md\)", INDEX.read_text()))
    assert {page.stem for page in (DOCS / "protocols").glob("*.md")} <= linked


@pytest.mark.parametrize("page", WITH_INDEX, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]+\.md)(?:#([\w-]+))?\)", page.read_text()):
        file = page.parent / target
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
        assert not anchor or anchor in {_anchor(heading) for heading in headings}, f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_says_what_arrives_and_what_is_guaranteed(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert headings[-2:] == ["What arrives", "What is guaranteed"]


@pytest.mark.parametrize("page", WITH_INDEX, ids=name)
def test_endpoints_that_are_named_exist(page: Path) -> None:
    mounts = Mounts(PROTOCOLS)
    named = re.findall(r"`(GET|POST) (/[^`?]*)`", page.read_text())
    assert named or page.stem == "syslog-ng"
    served = {"/api/v1/sources"}
    missing = [path for method, path in named if path not in served and mounts.find(Head(method, path)) is None]
    assert missing == []


@pytest.mark.parametrize("page", WITH_INDEX, ids=name)
def test_settings_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    commands = "\n".join(re.findall(r"^logstore serve .*$", text, re.MULTILINE))
    named = set(re.findall(r"--[a-z][a-z-]+", commands)) | set(re.findall(r"`(--[a-z][a-z-]+)`", text))
    known = {f"--{field.replace('_', '-')}" for field in ServeSettings.model_fields} | {"--silent"}
    assert named - known == set()


def test_the_index_names_where_every_protocol_is_taken() -> None:
    text = INDEX.read_text()
    for protocol in PROTOCOLS:
        first = [endpoint.patterns[0] for endpoint in (*protocol.takes, *protocol.streams)]
        assert any(f"POST {pattern}`" in text for pattern in first), protocol.name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_configuration_is_well_formed(page: Path) -> None:
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block)
    for block in blocks(page, "json"):
        assert json.loads(block)
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")


def _anchor(heading: str) -> str:
    """As Markdown's readers make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
