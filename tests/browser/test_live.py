"""The live tail, and what messages may not do to the page."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.serving import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as running:
        yield running


def post(server: ServerProcess, *messages: str) -> None:
    body = "".join(json.dumps({"message": message, "pod": "web-1", "severity": "warn"}) + "\n" for message in messages)
    assert server.post(body.encode()).json()["accepted"] == len(messages)


def go_live(browser: Chromium, server: ServerProcess) -> None:
    browser.open(f"{server.url}/?q=pod:web*&live=1")
    browser.wait_text("#status", "Live")


def test_lines_appear_as_they_are_stored(browser: Chromium, server: ServerProcess) -> None:
    post(server, "before")
    browser.open(f"{server.url}/")
    browser.wait(lambda: browser.messages() == ["before"], "the stored line")
    browser.find("#live").click()
    browser.wait_text("#status", "Live")
    post(server, "one", "two")
    browser.wait(lambda: browser.messages() == ["two", "one", "before"], "the new lines", within_s=3)
    assert "3 lines received" in browser.text("#status")
    browser.find("#live").click()
    browser.wait_text("#rows .footer", "That is all: 3 rows.")


def test_a_pause_holds_lines_back(browser: Chromium, server: ServerProcess) -> None:
    go_live(browser, server)
    post(server, "one")
    browser.wait(lambda: browser.messages() == ["one"], "the first line")
    browser.press("p")
    browser.wait_text("#status", "Paused")
    post(server, "two", "three")
    browser.wait_text("#status", "2 waiting")
    assert browser.messages() == ["one"]
    browser.button("Resume", "#status").click()
    browser.wait(lambda: browser.messages() == ["three", "two", "one"], "the lines held back")


def test_a_restart_of_the_server_neither_loses_nor_doubles_a_line(browser: Chromium, server: ServerProcess) -> None:
    go_live(browser, server)
    post(server, *(f"before {i}" for i in range(5)))
    browser.wait(lambda: len(browser.messages()) == 5, "the lines before")
    server.kill()
    browser.wait_text("#status", "Connection lost")
    server.start()
    post(server, *(f"after {i}" for i in range(5)))
    expected = [f"{when} {i}" for when in ("after", "before") for i in reversed(range(5))]
    browser.wait(lambda: browser.messages() == expected, "every line once", within_s=30)


def test_only_the_newest_rows_are_kept(browser: Chromium, server: ServerProcess) -> None:
    go_live(browser, server)
    for start in range(0, 6000, 1000):
        post(server, *(f"line {i}" for i in range(start, start + 1000)))
    browser.wait(lambda: browser.messages()[:1] == ["line 5999"], "the newest line")
    kept = browser.find(".canvas .row").get_attribute("aria-setsize")
    assert kept == "5000"


def test_a_live_line_is_opened_with_the_lines_around_it(browser: Chromium, server: ServerProcess) -> None:
    go_live(browser, server)
    post(server, "one", "two", "three")
    browser.wait(lambda: len(browser.messages()) == 3, "three lines")
    browser.find(".canvas .row[aria-posinset='2']").click()
    browser.button("Lines around it", "#record").click()
    around = browser.wait(lambda: [item.text.split()[-1] for item in browser.all(".around li")], "the lines around it")
    assert around == ["one", "two", "three"]


def test_messages_are_text_and_their_control_characters_are_seen(browser: Chromium, server: ServerProcess) -> None:
    evil = "<img src=x onerror=alert(1)><b id=evil>bold</b> \x1b[31mred \u202eback\x00 end\nnext"
    post(server, evil)
    browser.open(f"{server.url}/")
    shown = "<img src=x onerror=alert(1)><b id=evil>bold</b> \\x1b[31mred \\u202eback\\0 end"
    browser.wait(lambda: browser.messages() == [shown + "\\nnext"], "the line with escapes")
    browser.find(".canvas .row").click()
    browser.wait_text("#record pre.message", shown + "\nnext")
    assert browser.all("#evil, main img") == []
