"""An opened record: its fields, filtering from it, the lines around it."""

import json

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import Filled
from tests.browser.lines import BIG, LINES_A_SYSTEM


@pytest.fixture
def opened(browser: Chromium, filled: Filled) -> Chromium:
    """The newest line of hdfs, opened."""
    browser.open(filled.page("?q=container:hdfs"))
    browser.find(".canvas .row[aria-posinset='1']").click()
    browser.wait_text("#record pre.message", newest(filled).strip())
    return browser


def newest(filled: Filled) -> str:
    return next(line.message for line in reversed(filled.lines) if line.container == "hdfs")


def fields(browser: Chromium) -> dict[str, str]:
    names = browser.run("return [...document.querySelectorAll('#record dt')].map((name) => name.textContent)")
    values = browser.run("return [...document.querySelectorAll('#record .value')].map((value) => value.textContent)")
    return dict(zip(names, values, strict=True))


def value(browser: Chromium, name: str, tool: str = ".value") -> None:
    """Clicks a field's value, or one of the tools beside it."""
    row = next(row for row in browser.all("#record dl div") if row.find_element("css selector", "dt").text == name)
    row.find_element("css selector", tool).click()


def test_every_field_is_there_and_exact(opened: Chromium, filled: Filled) -> None:
    shown = fields(opened)
    assert shown["namespace"] == "storage"
    assert shown["pod"] == "hdfs-0"
    assert shown["block"] == str(BIG)
    assert shown["user.id"] == "ann lee"
    assert shown["app/tier"] == "data"
    line = next(line for line in reversed(filled.lines) if line.container == "hdfs")
    assert shown["time"] == line.time.isoformat().replace("+00:00", "000Z")


def test_copy_as_json_is_the_record(opened: Chromium) -> None:
    opened.run("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    opened.button("Copy JSON", "#record").click()
    copied = opened.wait(lambda: opened.run("return window.copied"), "the copied text")
    record = json.loads(copied)
    assert record["attributes"] == {"block": BIG, "user": {"id": "ann lee"}}
    assert record["labels"] == {"app/tier": "data"}
    opened.wait_text("#record header", "Copied")


def test_a_click_on_a_value_filters(opened: Chromium, filled: Filled) -> None:
    value(opened, "namespace")
    opened.wait(lambda: opened.address()["q"] == 'container:hdfs namespace="storage"', "the narrowed query")
    opened.wait_text("#rows .footer", f"That is all: {LINES_A_SYSTEM} rows.")


@pytest.mark.parametrize(
    ("field", "condition"),
    [
        ("block", f"attributes.block={BIG}"),
        ("user.id", 'attributes.user.id="ann lee"'),
        ("app/tier", 'labels.app/tier="data"'),
    ],
)
def test_values_of_attributes_and_labels_filter_too(
    opened: Chromium, filled: Filled, field: str, condition: str
) -> None:
    value(opened, field)
    opened.wait(lambda: opened.address()["q"] == f"container:hdfs {condition}", "the narrowed query")
    opened.wait_text("#rows .footer", f"That is all: {LINES_A_SYSTEM} rows.")


def test_a_value_is_excluded(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page("?q=block"))
    browser.find(".canvas .row[aria-posinset='1']").click()
    browser.find("#record dl")
    value(browser, "pod", "button[title^='Hide']")
    browser.wait(lambda: browser.address()["q"] == 'block pod!="hdfs-0"', "the narrowed query")
    browser.wait_text("#notice", "No results")


def test_a_field_is_shown_in_every_row(opened: Chromium) -> None:
    value(opened, "user.id", "button[title$='in every row']")
    chips = opened.wait(lambda: opened.all(".canvas .row .chip"), "the field in the rows")
    assert len(chips) > 10
    assert {chip.text for chip in chips} == {"id=ann lee"}
    assert opened.address()["column"] == "attributes.user.id"


def test_the_lines_around_it_are_of_its_own_container_in_order(opened: Chromium, filled: Filled) -> None:
    own = [line.message.strip() for line in filled.lines if line.container == "hdfs"]
    opened.button("Lines around it", "#record").click()
    around = opened.wait(
        lambda: [item.text.split(None, 1)[1] for item in opened.all(".around li")], "the lines around it"
    )
    assert around == own[-11:]
    current = opened.find(".around [aria-current='true']")
    assert own[-1] in current.text
    assert "The container's last line so far." in opened.text(".around")
    opened.button("More before", ".around").click()
    opened.wait(lambda: len(opened.all(".around li")) == 41, "more lines")


def test_a_link_opens_the_record(opened: Chromium, filled: Filled) -> None:
    url = opened.driver.current_url
    assert "open=" in url
    opened.open("about:blank")
    opened.open(url.replace("container%3Ahdfs", "zzzz"))
    opened.wait_text("#record pre.message", newest(filled).strip())
