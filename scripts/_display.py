"""Provide a display for the GUI tests, or the reason to skip them.

Windows and macOS have one. On Linux the tests get their own virtual X server. Qt's xcb plugin
aborts the whole process if one of its libraries is missing, so all of them are checked first.
Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from _environment import run, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DISPLAYS_VARIABLE = "SONOTEMPO_TEST_DISPLAYS"
SKIP_VARIABLE = "SONOTEMPO_SKIP_GUI"
# Debian package -> the file that the loader looks for. The files have the same names on every
# Linux, also where a distribution renames its packages.
LIBRARIES = {
    "libdbus-1-3": "libdbus-1.so.3",
    "libegl1": "libEGL.so.1",
    "libfontconfig1": "libfontconfig.so.1",
    "libgl1": "libGL.so.1",
    "libglib2.0-0": "libglib-2.0.so.0",
    "libopengl0": "libOpenGL.so.0",
    "libx11-xcb1": "libX11-xcb.so.1",
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-image0": "libxcb-image.so.0",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-randr0": "libxcb-randr.so.0",
    "libxcb-render-util0": "libxcb-render-util.so.0",
    "libxcb-shape0": "libxcb-shape.so.0",
    "libxcb-shm0": "libxcb-shm.so.0",
    "libxcb-sync1": "libxcb-sync.so.1",
    "libxcb-xfixes0": "libxcb-xfixes.so.0",
    "libxcb-xinerama0": "libxcb-xinerama.so.0",
    "libxcb-xkb1": "libxcb-xkb.so.1",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
    "libxkbcommon0": "libxkbcommon.so.0",
}
SERVER = {"xvfb": "Xvfb"}
START_SECONDS = 30


def missing_packages(
    load: Callable[[str], object] = ctypes.CDLL,
    which: Callable[[str], str | None] = shutil.which,
) -> list[str]:
    """Return the Debian packages whose library or program is missing on this machine.

    Each library is loaded, which also detects missing dependencies of the library itself.
    """
    missing = [package for package, server in SERVER.items() if which(server) is None]
    for package, library in LIBRARIES.items():
        try:
            load(library)
        except OSError:
            missing.append(package)
    return missing


def install_line(packages: Sequence[str]) -> str:
    """Return the command line that installs packages on Debian and its derivatives."""
    return (
        "sudo apt-get update && "
        f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    )


def apt_install(apt: str, packages: Sequence[str], purpose: str) -> None:
    """Install Debian packages, which needs root; wait if another apt-get is running."""
    print(f"Installing for {purpose}: {' '.join(packages)}", flush=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    command = [apt, "-o", "DPkg::Lock::Timeout=120"]
    run([*command, "update"], variables=quiet)
    run([*command, "install", "-y", "--no-install-recommends", *packages], variables=quiet)


def skip_reason(packages: Sequence[str], apt: bool) -> str:
    """Return why the GUI tests are skipped, and the remedy."""
    if apt:
        return f"system libraries are missing; to install them: {install_line(packages)}"
    files = [LIBRARIES.get(package, SERVER.get(package, package)) for package in packages]
    return f"system libraries are missing and there is no apt-get here: {', '.join(files)}"


def provide_libraries() -> str | None:
    """Install missing libraries if this user may; return the reason to skip, if any."""
    missing = missing_packages()
    apt = shutil.which("apt-get")
    if missing and apt and os.geteuid() == 0:
        apt_install(apt, missing, "the GUI tests")
        missing = missing_packages()
    return skip_reason(missing, apt is not None) if missing else None


@contextlib.contextmanager
def virtual_display() -> Iterator[str]:
    """Run a virtual X server on a free display; yield the display's name."""
    readable, writable = os.pipe()
    command = ["Xvfb", "-displayfd", str(writable), "-screen", "0", "1280x1024x24"]
    server = subprocess.Popen(
        [*command, "-nolisten", "tcp", "-noreset"],
        pass_fds=[writable],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # In its own session Ctrl-C does not reach it: the tests must end before their display.
        start_new_session=True,
    )
    try:
        os.close(writable)
        with os.fdopen(readable, encoding="ascii") as answer:
            # An answer, or the end of the file if the server has died.
            ready, _, _ = select.select([answer], [], [], START_SECONDS)
            number = answer.readline().strip() if ready else ""
        if not number:
            raise SystemExit("The virtual display did not start; run 'Xvfb :99' to see why.")
        yield f":{number}"
    finally:
        stop(server)


@contextlib.contextmanager
def gui_variables() -> Iterator[dict[str, str]]:
    """Yield the environment variables with which the GUI tests open windows, or skip."""
    reason = os.environ.get(SKIP_VARIABLE)
    if not reason and sys.platform.startswith("linux"):
        reason = provide_libraries()
        if not reason:
            # One for each test process: windows of two would take the focus from each other.
            with virtual_display() as display, virtual_display() as second:
                yield {
                    "DISPLAY": display,
                    DISPLAYS_VARIABLE: f"{display} {second}",
                    "QT_QPA_PLATFORM": "xcb",
                }
            return
    if reason:
        print(f"The GUI tests are skipped: {reason}", flush=True)
        yield {SKIP_VARIABLE: reason}
    else:
        yield {}
