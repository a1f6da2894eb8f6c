"""What of a run folder has to be the same whoever computed it, and how often it was cut off."""

import hashlib

# Named after the time and the process; the log of an interrupted training has further versions.
_LOGS = {"log", "tensorboard"}


def files_that_count(run):
    """Return a sum of every file of a run that is not a log, by its path."""
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and not _LOGS & set(path.relative_to(run).parts)
    }
