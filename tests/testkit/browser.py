"""Headless Chromium, the system's own, for the pages of the web console."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from testkit import parts

from .patience import PATIENCE_S

WAIT_MS = 1000 * PATIENCE_S
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1100, "height": 800}
# Nothing is fetched but what the pages ask for.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# A notice goes away by itself after some seconds; a test that is held up must find it all the same.
_KEEP_NOTICES = """
addEventListener("DOMContentLoaded", () => {
  const line = document.getElementById("notice");
  if (!line) return;
  const kept = Object.assign(document.createElement("ul"), { id: "kept-notices", hidden: true });
  document.body.append(kept);
  const keep = () => kept.append(Object.assign(document.createElement("li"),
    { textContent: `${line.className}: ${line.textContent}` }));
  new MutationObserver(keep).observe(line, { attributes: true, childList: true });
});
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=parts.find("chromium"), args=list(_FLAGS), timeout=WAIT_MS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser, url: str, viewport: dict[str, int], **options: Any) -> Iterator[Any]:
    """A page in a browser without memory; what it complains of on its console fails the test."""
    context = browser.new_context(viewport=viewport, base_url=url, **options)  # type: ignore[arg-type]
    context.add_init_script(_KEEP_NOTICES)
    page: Any = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: _keep(page, message))
    try:
        yield page
    finally:
        context.close()


def wait_for_notice(page: Any, words: str) -> None:
    """Returns when this document has given a notice with these words, its kind and a colon before them."""
    # Not with wait_for_function: the policy of the pages lets it look once only.
    page.wait_for_selector("#kept-notices li:text('%s')" % words, state="attached")


def _keep(page: Any, message: Any) -> None:
    # A request that was refused is told there too; the page shows that itself.
    if message.type == "error" and "Failed to load resource" not in message.text:
        page.complaints.append(message.text)
