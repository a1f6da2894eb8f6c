"""A data set as NIfTI: for each recording an image, its masks (``_gt``) and what NIfTI cannot hold.

Source: https://nifti.nimh.nih.gov/nifti-1. Arrays are (column, row, 1, time), as SimpleITK and
ITK-SNAP read and write two-dimensional series. A spacing that is unknown, or differs between
frames, is written as 1 with an unknown unit of length, and a time that is unknown, or has gaps, as
1 with an unknown unit of time: nothing is invented. ``<recording>.json`` holds the rest, exactly.
"""

import json
from pathlib import Path

import nibabel
import numpy as np

from sonotempo.errors import RecordingError
from sonotempo.exchange.outgoing import ExchangedFrame, Outgoing
from sonotempo.exchange.targets import Export
from sonotempo.io.formats import MASK_ENDING

LABELS_FILE = "dataset.json"
SUFFIX = ".nii.gz"
# The largest that the header's 16-bit numbers hold.
_LONGEST = 32767


def write_nifti(what: Export) -> None:
    """Write ``<subject>/<recording>`` with ``.nii.gz``, ``_gt.nii.gz`` and ``.json``.

    ``dataset.json`` names the values of all masks.

    Raises:
        RecordingError: a recording is longer or larger than NIfTI can hold.
    """
    for entry in what.entries:
        frames = []
        for frame in entry.same_size_frames():
            frames.append(frame)
            what.on_frame()
        _write(entry, frames, what.folder)
    names = what.structures.names
    labels = {"background": 0, **{name: label for label, name in enumerate(names, start=1)}}
    (what.folder / LABELS_FILE).write_text(
        json.dumps({"labels": labels}, indent=1) + "\n", encoding="utf-8"
    )


def _write(entry: Outgoing, frames: list[ExchangedFrame], root: Path) -> None:
    path = entry.file(root, SUFFIX)
    if max(len(frames), *frames[0].image_HW.shape) > _LONGEST:
        raise RecordingError(
            f"{entry.recording.source} has {len(frames)} frames of {frames[0].image_HW.shape} "
            f"pixels, and NIfTI holds at most {_LONGEST} along each axis; split the recording"
        )
    masks = [frame.mask_HW for frame in frames if frame.mask_HW is not None]
    period_s = _period_s(entry)
    for name, images in ((path, [f.image_HW for f in frames]), (_masks_of(path), masks)):
        series = np.stack([image_HW.T for image_HW in images], axis=-1)[:, :, None, :]
        row_mm, column_mm = entry.spacing_mm or (1.0, 1.0)
        # The axes that SimpleITK gives an image without a direction.
        affine = np.diag([-column_mm, -row_mm, 1.0, 1.0])
        image = nibabel.Nifti1Image(series, affine)
        image.header.set_zooms((column_mm, row_mm, 1.0, period_s or 1.0))
        image.header.set_xyzt_units(
            "mm" if entry.spacing_mm else "unknown", "sec" if period_s else "unknown"
        )
        nibabel.save(image, name)
    spacings_mm = [frame.spacing_mm for frame in frames]
    known = {
        "subject": entry.recording.subject,
        "recording": entry.name,
        "frame_numbers": entry.frame_numbers,
        "timestamps_ns": entry.timestamps_ns,
        "spacings_mm": spacings_mm,
    }
    text = json.dumps(known) + "\n"
    entry.file(root, ".json").write_text(text, encoding="utf-8")


def _masks_of(image: Path) -> Path:
    return image.with_name(f"{image.name.removesuffix(SUFFIX)}{MASK_ENDING}{SUFFIX}")


def _period_s(entry: Outgoing) -> float | None:
    """Return the pause between frames where there is one for all of them."""
    times_ns = entry.timestamps_ns
    if times_ns is None or len(times_ns) < 2:
        return None
    pauses_ns = np.diff(times_ns)
    steady = np.ptp(pauses_ns) <= 0.01 * np.median(pauses_ns)
    return float(np.median(pauses_ns)) / 1e9 if steady and pauses_ns.min() > 0 else None
