"""Searching, zooming and scrolling."""

import re
from datetime import datetime
from urllib.parse import urlsplit

from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import Chromium
from tests.browser.conftest import Filled
from tests.browser.lines import Line


def newest_first(lines: list[Line]) -> list[str]:
    return [line.message for line in reversed(lines)]


def saying(filled: Filled, phrase: str) -> list[Line]:
    """The lines with these whole words."""
    words = re.compile(rf"(?<!\w){phrase}(?!\w)", re.IGNORECASE)
    return [line for line in filled.lines if words.search(line.message)]


def test_a_query_typed_and_run_shows_its_lines_newest_first(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.find("#query").send_keys('"authentication failure"', Keys.ENTER)
    expected = saying(filled, "authentication failure")
    assert 20 < len(expected) < 1000
    browser.wait_text("#rows .footer", f"That is all: {len(expected)} rows.")
    top = browser.messages()
    assert len(top) > 20
    assert top == newest_first(expected)[: len(top)]
    assert browser.text(".canvas mark").split("\n")[0] == "authentication failure"
    assert browser.address()["q"] == '"authentication failure"'
    assert f"{len(expected)} rows" in browser.text("#status")


def test_the_legend_counts_lines_by_severity_and_filters(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    expected = sum(line.severity == "error" for line in filled.lines)
    assert expected > 10
    browser.wait_text("#legend", f"error {expected}")
    browser.button(f"error {expected}", "#legend").click()
    browser.wait_text("#rows .footer", f"That is all: {expected} rows.")
    assert browser.address()["q"] == 'severity="error"'


def test_scrolling_reaches_the_very_last_line(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.wait_text("#status", f"{len(filled.lines):,} lines · newest 1,000 loaded")

    def at_end() -> bool:
        browser.run("document.getElementById('rows').scrollTop = 1e9")
        return browser.messages()[-1] == filled.lines[0].message

    browser.wait(at_end, "the oldest line last")
    assert f"That is all: {len(filled.lines):,} rows." in browser.text("#rows .footer")
    bottom = browser.messages()
    assert bottom == newest_first(filled.lines)[-len(bottom) :]
    cursors = [url for url in browser.requests() if "cursor=" in url]
    assert len(cursors) == 2


def test_dragging_over_the_histogram_zooms(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.wait_text("#status", f"{len(filled.lines):,} lines")
    browser.drag("#histogram", 0.45, 0.6)
    browser.wait(lambda: "start" in browser.address(), "a time range in the address")
    start, end = (datetime.fromisoformat(browser.address()[name]) for name in ("start", "end"))
    assert 480 < (end - start).total_seconds() < 600, "15 % of an hour"
    expected = [line for line in filled.lines if start <= line.time < end]
    browser.wait_text("#rows .footer", f"That is all: {len(expected)} rows.")
    top = browser.messages()
    assert top == newest_first(expected)[: len(top)]

    browser.button("Zoom out", "#times").click()
    browser.wait(lambda: datetime.fromisoformat(browser.address()["start"]) < start, "an earlier start")
    browser.driver.back()
    browser.wait_text("#rows .footer", f"That is all: {len(expected)} rows.")


def test_a_bar_is_zoomed_into_from_the_keyboard(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.wait_text("#status", f"{len(filled.lines):,} lines")
    browser.run("document.getElementById('histogram').focus()")
    browser.press(*[Keys.ARROW_RIGHT] * 30)
    lines_there = int(browser.text(".tip b").partition(" · ")[2].split()[0])
    browser.press(Keys.ENTER)
    browser.wait_text("#rows .footer", f"That is all: {lines_there} rows.")


def test_a_link_shows_the_same_again(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.find("#query").send_keys("user", Keys.ENTER)
    browser.wait_text("#rows .footer", f"That is all: {len(saying(filled, 'user'))} rows.")
    before, url = browser.messages(), browser.driver.current_url
    browser.open("about:blank")
    browser.open(url)
    browser.wait(lambda: browser.messages() == before, "the same rows")
    assert browser.find("#query").get_attribute("value") == "user"
    assert urlsplit(url).path == "/"


def test_an_aggregation_is_a_table(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.find("#query").send_keys("* | stats count() as n by pod | sort by pod", Keys.ENTER)
    browser.wait_text("#rows .footer", "That is all: 3 rows.")
    assert browser.text("#head").split() == ["pod", "n"]
    cells = [row.text.split() for row in browser.all(".canvas .row")]
    assert cells == [[f"{system}-0", "800"] for system in ("apache", "hdfs", "openssh")]


def test_the_keyboard_alone_is_enough(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.wait_text("#status", "newest 1,000 loaded")
    browser.run("document.activeElement.blur()")
    browser.press("/")
    browser.press("openssh")
    assert browser.find("#query").get_attribute("value") == "openssh", "the slash itself is not typed"
    browser.press(Keys.BACKSPACE * 7, "user", Keys.ENTER)
    browser.wait(lambda: browser.messages()[:1] == newest_first(saying(filled, "user"))[:1], "rows of the query")
    browser.press(Keys.ESCAPE)
    browser.press("j", "j", "j", "k", Keys.ENTER)
    wanted = newest_first(saying(filled, "user"))[1]
    browser.wait(lambda: browser.text("#record pre.message") == wanted.strip(), "the second row, opened")
    browser.press("j")
    third = newest_first(saying(filled, "user"))[2]
    browser.wait(lambda: browser.text("#record pre.message") == third.strip(), "the third, opened in its place")
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: not browser.find("#record").is_displayed(), "the record closed")
