"""The page fits narrow windows, and can be read in both colour schemes."""

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import Filled

CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
const light = (text) => rgb(text).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (element) => {
    for (let e = element; e !== null; e = e.parentElement) {
        const colour = getComputedStyle(e).backgroundColor;
        if (!/, 0\\)$/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
};
return [...document.querySelectorAll(arguments[0])].map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
});
"""
"""The contrast of text and ground (WCAG 2.2 §1.4.3) of all elements that a selector finds."""

READ = ".row time, .row .severity, .row .source, .row .message, #status, #times span, #run, #record dt, #record .value"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_reading_needs(browser: Chromium, filled: Filled, scheme: str) -> None:
    browser.prefer(scheme)
    browser.open(filled.page())
    browser.find(".canvas .row[aria-posinset='2']").click()
    browser.find("#record dl")
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (int(ground[4:].split(",")[0]) < 100) == (scheme == "dark")
    contrasts = browser.run(CONTRAST, READ)
    assert len(contrasts) > 50
    assert min(contrasts) >= 4.5


@pytest.mark.parametrize("width", [1280, 700, 380])
def test_nothing_sticks_out(browser: Chromium, filled: Filled, width: int) -> None:
    browser.resize(width, 800)
    browser.open(filled.page("?start=2026-01-01T00:00:00Z&end=2036-01-01T00:00:00Z"))
    browser.find(".canvas .row[aria-posinset='2']").click()
    browser.find("#record dl")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    message = browser.find(".canvas .row[aria-posinset='3'] .message")
    assert message.size["width"] > 200


def test_everything_that_is_used_has_a_name(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    browser.find(".canvas .row[aria-posinset='2']").click()
    browser.find("#record dl")
    used = browser.all("button, a, input, textarea, [tabindex='0'], aside")
    nameless = [e.get_attribute("outerHTML") for e in used if e.is_displayed() and not e.accessible_name]
    assert nameless == []
