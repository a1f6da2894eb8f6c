"""Masks that were saved in a folder, laid on the recording that they were drawn on."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from napari_sonotempo.shared.label_names import named_structures
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.recording import Recording


def with_saved_masks(recording: Recording, folder: Path) -> Recording:
    """Return a recording with the masks and origins of a folder; masks are read when shown.

    Args:
        recording: with all frames.
        folder: of one sequence, as the writer of this plugin makes it: frames are found by number.

    Raises:
        RecordingError: the folder holds no masks, or those of another recording.
    """
    saved = open_recording(folder, named_structures(folder))
    positions = {int(number): index for index, number in enumerate(recording.frame_numbers)}
    numbers = [int(number) for number in saved.frame_numbers]
    found = {
        index: positions[numbers[index]] for index in saved.labelled if numbers[index] in positions
    }
    if not saved.labelled:
        raise RecordingError(f"{folder} holds no masks; choose the folder of one saved sequence")
    if len(found) < len(saved.labelled) or not _is_same(recording, saved, found):
        raise RecordingError(
            f"{folder} holds masks of another recording than {recording.name}: frame numbers or "
            "images differ; choose the folder that its masks were saved in"
        )
    return replace(
        recording,
        structures=saved.structures,
        mask_readers=MappingProxyType(
            {position: partial(_read, saved, index) for index, position in found.items()}
        ),
        origins=MappingProxyType(
            {position: saved.origin(index) for index, position in found.items()}
        ),
    )


def _read(saved: Recording, index: int) -> np.ndarray:
    mask_HW = saved.mask(index)
    if mask_HW is None:
        raise RecordingError(f"the mask of frame {saved.frame_numbers[index]} is gone")
    return mask_HW


def _is_same(recording: Recording, saved: Recording, found: dict[int, int]) -> bool:
    """Whether the first saved frame shows the same picture."""
    index, position = next(iter(found.items()))
    return np.array_equal(saved.images[index], recording.images[position])
