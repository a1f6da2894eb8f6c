"""Provide a browser for the tests of HTML pages, or the reason to skip them.

Standard library only.
"""

from __future__ import annotations

import os
import shutil
import sys

from _display import apt_install, install_line

SKIP_VARIABLE = "SONOTEMPO_SKIP_BROWSER"
PACKAGE = "chromium"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def has_browser() -> bool:
    """Return whether this machine has a browser that the tests can drive."""
    return any(shutil.which(name) for name in PROGRAMS)


def provide_browser() -> str | None:
    """Install Debian's package if this user may; return the reason to skip, if any."""
    if has_browser():
        return None
    apt = shutil.which("apt-get") if sys.platform.startswith("linux") else None
    if not apt:
        return f"none of {', '.join(PROGRAMS)} is installed"
    if os.geteuid() == 0:
        apt_install(apt, [PACKAGE], "the tests of HTML pages")
    if has_browser():
        return None
    return f"no browser is installed; to install one: {install_line([PACKAGE])}"


def browser_variables() -> dict[str, str]:
    """Return the environment variables with which the tests open HTML pages, or skip."""
    reason = os.environ.get(SKIP_VARIABLE) or provide_browser()
    if not reason:
        return {}
    print(f"The tests of HTML pages are skipped: {reason}", flush=True)
    return {SKIP_VARIABLE: reason}
