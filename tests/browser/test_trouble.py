"""What goes wrong looks different by kind, and says what to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import Chromium
from tests.browser.conftest import Filled
from tests.serving import ServerProcess


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as running:
        yield running


def test_a_bad_query_is_marked_at_its_place(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page())
    query = "* | stats cuont() by pod"
    browser.find("#query").send_keys(query, Keys.ENTER)
    browser.wait_text("#trouble", "cuont")
    assert browser.text("#trouble pre").startswith(query)
    caret = browser.find("#trouble .caret")
    assert caret.text.startswith("cuont")
    width = caret.size["width"] / len("cuont")
    indent = caret.location["x"] - browser.find("#trouble pre").location["x"]
    assert indent == pytest.approx(width * query.index("cuont"), abs=2)
    assert "did you mean" in browser.text("#trouble")
    assert browser.find("#query").get_attribute("aria-invalid") == "true"
    assert browser.text("#notice") == ""

    browser.find("#query").send_keys(Keys.CONTROL + "a")
    browser.find("#query").send_keys("* | stats count() by pod", Keys.ENTER)
    browser.wait_text("#rows .footer", "That is all: 3 rows.")
    assert not browser.find("#trouble").is_displayed()


def test_a_place_after_characters_of_two_units_is_found(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page("?q=%22%F0%9F%9A%80%F0%9F%9A%80%22%20%7C%20stats%20cuont()"))
    browser.wait(lambda: browser.text("#trouble .caret").startswith("cuont"), "the mark under cuont")


def test_no_results_offers_more_time(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page("?q=nosuchwordanywhere&range=15m"))
    browser.wait_text(".notice[data-kind=empty]", "No line matches in the last 15m.")
    browser.button("All time", "#notice").click()
    browser.wait_text(".notice[data-kind=empty]", "No line matches at any time.")


def test_an_empty_store_says_how_to_fill_it(browser: Chromium, empty: ServerProcess) -> None:
    browser.open(f"{empty.url}/?range=all")
    browser.wait_text("#notice", "Nothing is stored yet")
    assert f"{empty.url}/api/v1/logs" in browser.text("#notice pre")


def test_the_querys_own_limit_is_never_taken_for_the_end(browser: Chromium, filled: Filled) -> None:
    browser.open(filled.page("?q=*%20%7C%20limit%205"))
    browser.wait_text("#rows .limit", "Limit reached")
    assert len(browser.all(".canvas .row")) == 5
    assert "That is all" not in browser.text("#rows")
    assert browser.text("#notice") == ""


def test_a_query_that_takes_too_long_says_so(browser: Chromium, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", "--query-timeout", "1ms") as slow:
        slow.post(b'{"message": "a"}\n' * 20_000)
        browser.open(f"{slow.url}/?q=a*+%7C+stats+count()+by+message")
        browser.wait_text(".notice[data-kind=timeout]", "The query took too long")
        assert browser.button("Only the last 15m", "#notice").is_displayed()


def test_a_server_that_is_gone_is_no_empty_answer_and_is_tried_again(browser: Chromium, empty: ServerProcess) -> None:
    empty.post(b'{"message": "still here"}')
    browser.open(f"{empty.url}/")
    browser.wait_text("#rows .canvas", "still here")
    empty.kill()
    browser.find("#run").click()
    browser.wait_text(".notice[data-kind=unreachable]", "Server not reachable")
    assert "No results" not in browser.text("#notice")
    browser.wait_text("#notice", "Trying again in")
    empty.start()
    browser.wait_text("#rows .canvas", "still here")
    assert browser.text("#notice") == ""


def test_a_token_is_asked_for_and_kept_for_the_tab(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("sesame\n")
    headers = {"Authorization": "Bearer sesame"}
    with ServerProcess(tmp_path / "data", "--token-file", str(file), headers=headers) as guarded:
        guarded.post(b'{"message": "a secret"}')
        browser.open(f"{guarded.url}/")
        browser.wait_text("#notice", "A token is needed")
        browser.find("#token").send_keys("wrong", Keys.ENTER)
        browser.wait_text("#notice", "This token is not accepted")
        browser.find("#token").send_keys("sesame", Keys.ENTER)
        browser.wait_text("#rows .canvas", "a secret")
        browser.driver.refresh()
        browser.wait_text("#rows .canvas", "a secret")
        assert browser.text("#notice") == ""
        assert "sesame" not in browser.driver.current_url
