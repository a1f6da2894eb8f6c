"""Marks on a recording, such as "needle in": from the stream's file, and in a table next to it.

A mark that is set while a stream is recorded is a line in the recording's ``.jsonl`` file. Once
somebody adds or removes marks afterwards, all of them are in ``NAME.marks.csv`` next to the file
or folder NAME, with the columns ``time_s``, ``frame`` (its number) and ``mark``. The recording
itself is never changed.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sonotempo.errors import RecordingError
from sonotempo.folders import whole_file, writing
from sonotempo.io.stream_recording import StreamRecording
from sonotempo.recording import Recording

#: The kind of the event that is a mark.
MARK: Literal["mark"] = "mark"
_COLUMNS = ("time_s", "frame", "mark")


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Something that happens in a frame.

    Attributes:
        index: position of the frame in its recording.
        text: what happens.
    """

    index: int
    text: str


def marks_path(recording: Recording) -> Path:
    """Return where the table of a recording's marks is, next to the recording."""
    return recording.source.with_name(f"{recording.source.name}.marks.csv")


def read_marks(recording: Recording) -> tuple[Mark, ...]:
    """Return a recording's marks in order: those of its table, or else those of its stream.

    Raises:
        RecordingError: the table is damaged.
    """
    path = marks_path(recording)
    if path.is_file():
        return _from_table(path, recording)
    if not isinstance(recording, StreamRecording) or recording.host_ns is None:
        return ()
    found = [
        Mark(max(0, int(np.searchsorted(recording.host_ns, host_ns, "right")) - 1), detail)
        for host_ns, kind, detail in recording.events
        if kind == MARK
    ]
    return tuple(sorted(found))


def write_marks(path: Path, recording: Recording, marks: Sequence[Mark]) -> None:
    """Write a table of marks; the former one stays until this one is whole.

    Args:
        path: of the table, ``.csv``.
        recording: that they are on.
        marks: in any order.

    Raises:
        RecordingError: the table cannot be written.
    """
    rows = [
        (f"{_time_s(recording, mark.index):.3f}", recording.frame_numbers[mark.index], mark.text)
        for mark in sorted(marks)
    ]
    with (
        writing(path, "place for the marks", RecordingError),
        whole_file(path) as draft,
        draft.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows([_COLUMNS, *rows])


def _time_s(recording: Recording, index: int) -> float:
    return float(recording.timestamps_ns[index] - recording.timestamps_ns[0]) / 1e9


def _from_table(path: Path, recording: Recording) -> tuple[Mark, ...]:
    positions = {int(number): index for index, number in enumerate(recording.frame_numbers)}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        found = [Mark(positions[int(row["frame"])], row["mark"]) for row in rows]
        if any(mark.text is None for mark in found):
            raise ValueError("a line is incomplete")
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RecordingError(
            f"{path} is no table of marks of {recording.name} ({error}); expected the columns "
            f"{', '.join(_COLUMNS)} and frame numbers of the recording: mend it or move it away"
        ) from error
    return tuple(sorted(found))
