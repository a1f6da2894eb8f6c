"""The guard around every reader: what it raises, now or when a frame is read, names the file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.recording import Image, ImageStack, Recording

_REMEDY = "copy or export it again"


def read_safely(path: Path, read: Callable[[], Recording]) -> Recording:
    """Call a reader; any error of it, and later of a frame or mask, becomes a RecordingError.

    Args:
        path: the file or folder, for messages.
        read: opens it.

    Raises:
        RecordingError: it cannot be opened.
    """
    with guarded(f"{path} cannot be read", _REMEDY, RecordingError):
        recording = read()
        masks = {
            index: _Mask(recording.source, index, reader)
            for index, reader in recording.mask_readers.items()
        }
        return replace(
            recording,
            images=_Images(recording.source, recording.images),
            mask_readers=masks,
            origins=dict(recording.origins),  # an empty default would not go to other processes
        )


@dataclass(frozen=True, slots=True)
class _Images:
    """The frames of a recording."""

    source: Path
    images: ImageStack

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int, /) -> Image:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {self.source}: expected 0 to {len(self) - 1}")
        with guarded(f"frame {index} of {self.source} cannot be read", _REMEDY, RecordingError):
            return self.images[index]


@dataclass(frozen=True, slots=True)
class _Mask:
    """The mask of one frame."""

    source: Path
    index: int
    reader: Callable[[], Image]

    def __call__(self) -> Image:
        what = f"the mask of frame {self.index} of {self.source} cannot be read"
        with guarded(what, _REMEDY, RecordingError):
            return self.reader()
