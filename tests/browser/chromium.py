"""A headless Chromium, as a person uses it: what is on the page, what was pressed, what was requested."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PROGRAM: Final = shutil.which("chromium")
DRIVER: Final = shutil.which("chromedriver")
WAIT_S: Final = 15.0
SHOWN_MAX: Final = 2_000
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

MESSAGES: Final = """return [...document.querySelectorAll('.canvas .row')]
    .sort((a, b) => a.getAttribute('aria-posinset') - b.getAttribute('aria-posinset'))
    .map((row) => row.querySelector('.message').textContent)"""

Found = TypeVar("Found")


class Chromium:
    """One browser with an empty profile, in UTC."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 800) -> None:
        assert PROGRAM is not None and DRIVER is not None
        options = webdriver.ChromeOptions()
        options.binary_location = PROGRAM
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self._requested: list[str] = []
        self._command("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """`dark` or `light`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._command("Emulation.setEmulatedMedia", {"features": features})

    def open(self, url: str) -> None:
        self.driver.get(url)

    def close(self) -> None:
        self.driver.quit()

    def find(self, css: str) -> WebElement:
        """The first such element, once it is there."""
        return self.wait(lambda: next(iter(self.all(css)), None), f"an element {css}")

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def button(self, text: str, within: str = "body") -> WebElement:
        def named() -> WebElement | None:
            buttons = self.all(f"{within} button")
            return next((button for button in buttons if button.text == text and button.is_displayed()), None)

        return self.wait(named, f"a button {text!r}")

    def text(self, css: str) -> str:
        return "\n".join(element.text for element in self.all(css))

    def messages(self) -> list[str]:
        """The messages of the rows in the document, from the top."""
        return list(self.run(MESSAGES))

    def wait(self, look: Callable[[], Found | None], what: str, within_s: float = WAIT_S) -> Found:
        """What `look` gives as soon as it is true; the rows on the page may change while it looks."""
        waiting = WebDriverWait(self.driver, within_s, 0.05, (StaleElementReferenceException,))
        try:
            found = waiting.until(lambda _: look())
        except TimeoutException:
            raise AssertionError(
                f"waited in vain for {what}; the page says:\n{self.text('body')[:SHOWN_MAX]}"
            ) from None
        assert found is not None
        return found

    def wait_text(self, css: str, text: str, within_s: float = WAIT_S) -> None:
        self.wait(lambda: text in self.text(css), f"{text!r} in {css}", within_s)

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def drag(self, css: str, from_share: float, to_share: float) -> None:
        """Presses the mouse at one share of an element's width, and lets go at another."""
        element = self.find(css)
        width = element.size["width"]
        actions = ActionChains(self.driver, duration=20)
        actions.move_to_element_with_offset(element, int((from_share - 0.5) * width), 0).click_and_hold()
        actions.move_by_offset(int((to_share - from_share) * width), 0).release().perform()

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def screenshot(self, path: Path) -> None:
        self.driver.save_screenshot(str(path))

    def address(self) -> dict[str, str]:
        """The parameters in the page's address."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.driver.current_url).query).items()}

    def requests(self) -> list[str]:
        """The URLs that were requested since they were last forgotten, the browser's own pages aside."""
        events = [json.loads(entry["message"])["message"] for entry in self._log()]
        urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        self._requested += [url for url in urls if urlsplit(url).scheme not in ("chrome", "about")]
        return self._requested

    def forget_requests(self) -> None:
        self.requests()
        self._requested = []

    def _log(self) -> list[dict[str, str]]:
        entries: list[dict[str, str]] = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        return entries

    def _command(self, name: str, parameters: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(name, parameters)
