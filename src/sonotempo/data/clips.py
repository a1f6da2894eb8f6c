"""Windows of T frames from cached recordings, as batches of plain tensors.

A window is part of one segment of a recording, so it never crosses a gap, and has at least one
labelled frame. All its frames are input; the loss is computed on the labelled ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sonotempo.data.cache import CachedRecording

#: How many recordings a data set keeps open.
_OPEN_RECORDINGS = 128


@dataclass(frozen=True, slots=True)
class Window:
    """The recording and frames of a clip; a short segment repeats its first frame."""

    recording: int
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Clips:
    """A batch of clips as read from disk.

    Attributes:
        frames_BTHW: uint8 grey on the network grid.
        masks_BTHW: uint8 labels; zeros for unlabelled frames.
        labelled_BT: bool, which frames are labelled.
        still_B: bool, which clips repeat one image that is yet to be moved.
    """

    frames_BTHW: Tensor
    masks_BTHW: Tensor
    labelled_BT: Tensor
    still_B: Tensor

    def to(self, device: torch.device) -> "Clips":
        """Copy to a device."""
        return Clips(*(tensor.to(device, non_blocking=True) for tensor in self.tensors()))

    def pin_memory(self) -> "Clips":
        """Copy to memory that a GPU reads by itself; a loader calls this."""
        return Clips(*(tensor.pin_memory() for tensor in self.tensors()))

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return all tensors in the order of the attributes."""
        return self.frames_BTHW, self.masks_BTHW, self.labelled_BT, self.still_B


def cut_windows(
    recordings: Sequence[CachedRecording], frames: int, random: np.random.Generator | None
) -> list[Window]:
    """Cover every labelled frame with windows of ``frames`` frames.

    With ``random`` the windows start at different frames on every call; without it they are the
    same on every call, and where labels are sparse each window ends at one.
    """
    windows = []
    for number, recording in enumerate(recordings):
        labelled = np.asarray(recording.labelled, np.int64)
        for segment in recording.segments():
            covered = segment.start - 1
            # A random phase, as if the first window started before the recording.
            phase = int(random.integers(frames)) if random is not None else 0
            for label in labelled[np.searchsorted(labelled, segment.start) :].tolist():
                if label >= segment.stop:
                    break
                if label <= covered:
                    continue
                room = min(label - covered - 1, frames - 1)
                late = int(random.integers(room + 1)) if random is not None else room
                start = max(segment.start, min(label - late, segment.stop - frames))
                stop = min(start + frames, segment.stop)
                covered = max(label, stop - 1 - phase)
                phase = 0
                repeats = (start,) * (frames - (stop - start))
                windows.append(Window(number, (*repeats, *range(start, stop))))
    return windows


class ClipDataset(Dataset[Clips]):
    """Windows read from the memory-mapped cache; an item is one clip (a batch of one).

    Args:
        recordings: those that the windows refer to.
        windows: from :func:`cut_windows`.
    """

    def __init__(self, recordings: Sequence[CachedRecording], windows: Sequence[Window]) -> None:
        self.recordings = tuple(recordings)
        self.windows = tuple(windows)
        # Opening costs more than reading a frame. Each open file counts against a limit.
        self._opened = lru_cache(_OPEN_RECORDINGS)(self._open)

    def _open(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], dict[int, int]]:
        """Map a recording's frames and masks; return them with each labelled frame's row."""
        recording = self.recordings[number]
        row_of = {frame: row for row, frame in enumerate(recording.labelled)}
        return np.asarray(recording.frames_TSS()), np.asarray(recording.masks_MSS()), row_of

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Clips:
        window = self.windows[index]
        recording = self.recordings[window.recording]
        stored_TSS, stored_MSS, row_of = self._opened(window.recording)
        frames_THW = stored_TSS[list(window.frames)]
        masks_THW = np.zeros_like(frames_THW)
        labelled_T = np.zeros(len(window.frames), bool)
        for t, frame in enumerate(window.frames):
            # A repeated first frame only warms up the memory; its label counts once.
            repeated = t + 1 < len(window.frames) and window.frames[t + 1] == frame
            if frame in row_of and (recording.is_still or not repeated):
                masks_THW[t] = stored_MSS[row_of[frame]]
                labelled_T[t] = True
        return Clips(
            torch.from_numpy(frames_THW)[None],
            torch.from_numpy(masks_THW)[None],
            torch.from_numpy(labelled_T)[None],
            torch.from_numpy(np.array([recording.is_still and len(window.frames) > 1])),
        )


def join_clips(clips: Sequence[Clips]) -> Clips:
    """Join clips of the same length into one batch."""
    parts = zip(*(clip.tensors() for clip in clips), strict=True)
    return Clips(*(torch.cat(tensors) for tensors in parts))
