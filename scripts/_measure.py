"""What the bench_ scripts share: memory of this process, the processor's name, a goal's verdict."""

import platform
import sys
from pathlib import Path


def memory(field: str) -> float | None:
    """Return a line of ``/proc/self/status`` in bytes, or None where there is no such file.

    ``VmRSS`` is resident memory, ``VmHWM`` its peak, ``RssAnon`` the part that no file backs.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines())
    return float(lines[field].split()[0]) * 1024 if field in lines else None


def peak_memory() -> float:
    """Return this process's largest resident memory in bytes; NaN on Windows.

    On Linux ``ru_maxrss`` would also count the parent's memory at the time of the fork.
    """
    peak = memory("VmHWM")
    if peak is None and sys.platform == "darwin":
        import resource  # noqa: PLC0415  Windows lacks it

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return float("nan") if peak is None else peak


def cpu_name() -> str:
    """Return the processor's name and number of cores."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text("utf-8").splitlines() if about.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def verdict(met: bool) -> str:
    """Return whether a goal is met, as a word."""
    return "met" if met else "MISSED"
