"""Headless Chromium for tests of HTML pages, which skip with a reason if it is missing."""

import os
import shutil
from contextlib import contextmanager

import pytest

#: scripts/test.py sets it to the reason why there is no browser.
SKIP_VARIABLE = "SONOTEMPO_SKIP_BROWSER"


@contextmanager
def chromium():
    """Start a browser, or skip the test; the browser ends with the context."""
    reason = os.environ.get(SKIP_VARIABLE)
    if reason:
        pytest.skip(reason)
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    path = next((path for path in found if path), None)
    if path is None:
        pytest.skip("chromium is not installed; to install it: sudo apt-get install -y chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is in sonotempo[dev]")
    # Chromium's sandbox refuses to start for root.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
