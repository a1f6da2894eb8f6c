"""Several images in one file as a recording: TIFF stacks, animated GIF and WebP."""

import threading
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from sonotempo.io.formats import Request
from sonotempo.io.grey import grey
from sonotempo.io.images import check_frame
from sonotempo.io.limits import limits
from sonotempo.io.pillow_files import frame_count, go_to_frame, opened_image
from sonotempo.io.timing import times_from
from sonotempo.recording import Image, Recording

_NS_A_MS = 1_000_000


def open_image_stack(request: Request) -> Recording:
    """Open the images of a file as the frames of one recording.

    Time comes from the durations that an animation stores. A TIFF stack has none.

    Raises:
        RecordingError: the file is damaged, or does not have 8 bits per pixel.
    """
    path = request.path
    with opened_image(path, check_frame) as image:
        count = frame_count(image)
        limits().check_frames(path, count)
        stamps_ns = _stamps_ns(image, count, path)
    numbers = np.arange(count, dtype=np.int64)
    times = times_from(stamps_ns, numbers)
    return Recording(
        source=path,
        subject=request.subject or path.stem,
        name=request.name or path.stem,
        images=_StackFrames(path, count),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        structures=request.structures,
        files=(path,),
    )


def _stamps_ns(image: Pillow.Image, count: int, path: Path) -> list[int] | None:
    """Return when each image is shown; None if the file is no animation."""
    stamps_ns, now_ns = [], 0
    for index in range(count):
        go_to_frame(image, index, path)
        image.load()
        stamps_ns.append(now_ns)
        duration_ms = image.info.get("duration")
        if duration_ms is None:
            return None
        now_ns += round(float(duration_ms) * _NS_A_MS)
    return stamps_ns


class _StackFrames:
    """The images of one file; threads take turns."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._count = count
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int, /) -> Image:
        with self._lock, opened_image(self._path, check_frame) as image:
            go_to_frame(image, index, self._path)
            pixels = np.array(image.convert("L" if image.mode == "L" else "RGB"))
        return grey(pixels, self._path)
