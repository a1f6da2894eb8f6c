"""Chromium without a window, for tests of pages; they skip with a reason where there is none."""

import os
import shutil
from contextlib import contextmanager

import pytest

#: Set by scripts/test.py to the reason why there is no browser.
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
        pytest.skip("no chromium here; to install it: sudo apt-get install -y chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is in sonotempo[dev]")
    # Chromium's sandbox refuses to start for root.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
