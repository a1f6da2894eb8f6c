"""Who made a temporary folder or block of memory, and whether that process still runs."""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@cache
def this_machine() -> str:
    """Return eight hexadecimal digits for this computer since it was started.

    Process ids mean something only there; the name of the computer cannot be read from the digits.
    """
    boot = _BOOT.read_text(encoding="ascii") if _BOOT.is_file() else ""
    return hashlib.blake2b(f"{socket.gethostname()}{boot}".encode(), digest_size=4).hexdigest()


def has_ended(pid: int) -> bool:
    """Whether no process of this computer has an id; False where that cannot be known.

    >>> has_ended(os.getpid())
    False
    """
    if os.name == "nt" or not 0 < pid < 1 << 31:  # there, asking would send Ctrl-C
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
