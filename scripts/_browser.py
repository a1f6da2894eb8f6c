"""Give the tests of pages a browser, or the reason why they cannot have one.

Standard library only.
"""

from __future__ import annotations

import os
import shutil
import sys

from _display import install_line
from _environment import run

SKIP_VARIABLE = "SONOTEMPO_SKIP_BROWSER"
PACKAGE = "chromium"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def has_browser() -> bool:
    """Return whether a browser that the tests can drive is on this machine."""
    return any(shutil.which(name) for name in PROGRAMS)


def provide_browser() -> str | None:
    """Install Debian's package where that is allowed; return the reason to skip, if any."""
    if has_browser():
        return None
    apt = shutil.which("apt-get") if sys.platform.startswith("linux") else None
    if not apt:
        return f"none of {', '.join(PROGRAMS)} is on this machine"
    if os.geteuid() == 0:
        print(f"Installing for the tests of pages: {PACKAGE}", flush=True)
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        wait_for_lock = [apt, "-o", "DPkg::Lock::Timeout=120"]
        run([*wait_for_lock, "update"], variables=quiet)
        run([*wait_for_lock, "install", "-y", "--no-install-recommends", PACKAGE], variables=quiet)
    if has_browser():
        return None
    return f"there is no browser; to install one: {install_line([PACKAGE])}"


def browser_variables() -> dict[str, str]:
    """Return the environment variables that the tests need to open pages, or to skip doing so."""
    reason = os.environ.get(SKIP_VARIABLE) or provide_browser()
    if not reason:
        return {}
    print(f"The tests of pages are skipped: {reason}", flush=True)
    return {SKIP_VARIABLE: reason}
