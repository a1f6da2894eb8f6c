"""The content of a recording or data set, as a table for the terminal."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from rich.markup import escape
from rich.table import Table

from sonotempo.errors import ConfigError, unknown_option
from sonotempo.io import DataSet, Layout, open_dataset, open_recording
from sonotempo.io.orientation import AS_SHOWN
from sonotempo.label_origin import counted_origins
from sonotempo.recording import Recording
from sonotempo.structures import StructureSet, structure_set

_SKIPPED_SHOWN = 10


def parse_structures(text: str) -> StructureSet:
    """Return a named set, or one of names separated by commas or of one.

    >>> parse_structures("artery, vein").names
    ('artery', 'vein')
    """
    if "," in text:
        return structure_set([name.strip() for name in text.split(",") if name.strip()])
    return structure_set(text)


def parse_layout(text: str) -> Layout | Literal["auto"]:
    """Return the layout that a command was given.

    Raises:
        ConfigError: there is no such layout.
    """
    layouts = ("auto", *get_args(Layout))
    if text not in layouts:
        raise ConfigError(unknown_option("layout", text, layouts))
    return text  # type: ignore[return-value]  # checked above


def inspection_table(
    path: Path,
    structures: StructureSet,
    layout: str,
    frames_root: Path | None,
    *,
    follow_links: bool = False,
) -> Table:
    """Open a recording, or a folder as a data set, and describe it.

    Raises:
        RecordingError: nothing can be read.
        ConfigError: the layout does not exist.
    """
    arranged = parse_layout(layout)
    table = Table(title=escape(str(path)), show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    if path.is_dir():
        dataset = open_dataset(
            path,
            structures,
            layout=arranged,
            frames_root=frames_root,
            follow_links=follow_links,
        )
        _describe_set(table, dataset)
    else:
        _describe(table, open_recording(path, structures, follow_links=follow_links))
    return table


def _describe_set(table: Table, dataset: DataSet) -> None:
    recordings = dataset.recordings
    table.add_row("layout", dataset.layout)
    table.add_row("recordings", str(len(recordings)))
    one = "image" if dataset.layout == "stills" else "recording"
    known = "" if dataset.subjects_known else f" (unknown: every {one} counts as one)"
    table.add_row("subjects", f"{len(dataset.subjects)}{known}")
    table.add_row("frames", f"{dataset.frame_count}, {dataset.labelled_count} of them labelled")
    _describe_origins(table, dataset.recordings)
    share = dataset.consecutive_share
    table.add_row(
        "consecutive frames",
        "– (stills)" if share is None or math.isnan(share) else f"{share:.1%} of neighbours",
    )
    table.add_row("structures", escape(", ".join(recordings[0].structures.names)))
    spacings = {recording.spacing_mm for recording in recordings}
    table.add_row("spacing (row, column)", "; ".join(sorted(map(_spacing, spacings))[:4]))
    stored = Counter(recording.stored_as for recording in recordings)
    if set(stored) != {AS_SHOWN}:
        table.add_row("orientation", f"stored as {_counted(stored)}; turned to {AS_SHOWN}")
    assumed = sum(recording.rate_is_assumed for recording in recordings)
    if assumed:
        table.add_row("frame rate", f"unknown in {assumed} recordings; 25 per second assumed")
    table.add_row("skipped", str(len(dataset.skipped)))
    for bad in dataset.skipped[:_SKIPPED_SHOWN]:
        table.add_row("", escape(f"{bad.path}: {bad.reason}"))
    if len(dataset.skipped) > _SKIPPED_SHOWN:
        table.add_row("", f"and {len(dataset.skipped) - _SKIPPED_SHOWN} more")


def _describe(table: Table, recording: Recording) -> None:
    frame = recording[0]
    height, width = frame.image_HW.shape
    seconds = (recording.timestamps_ns[-1] - recording.timestamps_ns[0]) / 1e9
    table.add_row("subject", escape(recording.subject))
    table.add_row("frames", f"{len(recording)}, {len(recording.labelled)} of them labelled")
    _describe_origins(table, [recording])
    table.add_row("segments without a gap", str(len(recording.segments())))
    table.add_row("duration", f"{seconds:.2f} s")
    table.add_row("size", f"{height} x {width} pixels (rows x columns)")
    table.add_row("image area", str(recording.area or "all of it"))
    table.add_row("spacing (row, column)", _spacing(recording.spacing_mm))
    if recording.spacing_mm is None and recording.pixel_aspect != 1:
        table.add_row("pixels", f"{recording.pixel_aspect:.4g} times as high as wide")
    if recording.stored_as != AS_SHOWN:
        table.add_row("orientation", f"stored as {recording.stored_as}; turned to {AS_SHOWN}")
    if recording.rate_is_assumed:
        table.add_row("frame rate", "unknown; 25 frames per second assumed")


def _describe_origins(table: Table, recordings: Sequence[Recording]) -> None:
    """Say how many masks come from where, if any file says it; else people made them all."""
    if any(recording.origins for recording in recordings):
        counts = Counter(one.origin(index).text for one in recordings for index in one.labelled)
        table.add_row("masks by origin", escape(counted_origins(counts)))


def _counted(stored: Counter[str]) -> str:
    return ", ".join(
        f"{name} ({count} recording{'s' if count > 1 else ''})"
        for name, count in sorted(stored.items())
    )


def _spacing(spacing_mm: tuple[float, float] | None) -> str:
    return "unknown" if spacing_mm is None else f"{spacing_mm[0]:.4f} x {spacing_mm[1]:.4f} mm"
