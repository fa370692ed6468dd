"""Fixtures: the browser, a page opened as somebody at some size, the accessibility check, and screenshots."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import sync_playwright

# Playwright keeps an event loop in this thread, in which Django would refuse to touch the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = [  # no sandbox as root, and no conversations of the browser's own
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = [1440, 390]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def open_as(browser, live_server, client_of):
    """Return open_as(user, width=1440, dark=False, language="zh-hans", scripts=True) → a page of the live server.

    `user` None is somebody who has not signed in. What the pages complain about in the console fails the test.
    """
    contexts, complaints = [], []

    def opened(user, *, width=1440, dark=False, language="zh-hans", scripts=True):
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900 if width > 500 else 844},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            locale="zh-CN",
        )
        contexts.append(context)
        cookies = {settings.LANGUAGE_COOKIE_NAME: language}
        if user is not None:
            cookies[settings.SESSION_COOKIE_NAME] = client_of(user).cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": name, "value": value, "url": live_server.url} for name, value in cookies.items()])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if "status of 40" not in text] == []


def axe(page):
    """Assert that the page breaks no rule of WCAG 2.2 AA that axe knows, and is no wider than the window."""
    # Preloading would read the style sheets once more, from wrong addresses.
    found = Axe().run(page, options={"preload": False, "runOnly": {"type": "tag", "values": WCAG}})
    assert [
        (rule["id"], node["html"], node["failureSummary"])
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.fixture
def shoot(tmp_path):
    """Return shoot(page, name): a screenshot in the folder SHOTS of the environment, or in the test's own."""
    folder = Path(os.environ.get("SHOTS", tmp_path))

    def shot(page, name):
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}-{page.viewport_size['width']}.png", full_page=True)

    return shot
