"""Recordings as arrays for napari: a frame is read only when it is shown.

dask would work for read-only images, at several times the cost per frame; masks need an array
that can be painted on frame by frame (:mod:`napari_sonotempo.shared.lazy_masks`).
"""

import math
import threading
import time
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sonotempo.shared.notify import tell_error
from sonotempo.errors import SonotempoError
from sonotempo.recording import Image, Recording

#: Memory for the frames that each stack keeps, so that going back does not decode them again.
CACHE_BYTES = 128 << 20

#: A frame that takes longer is in a video that is decoded from a key frame far before it. When the
#: user goes back, this many frames are then read at once, in order, at the same cost.
SLOW_SECONDS = 0.03
FRAMES_BACK = 32


class LazyStack:
    """A recording's frames as a uint8 array THW that reads frames on demand.

    A frame that cannot be read is black, and the reason is reported once. A frame of another size
    is cropped or padded with black at the bottom and on the right.

    Args:
        recording: with the frames.
        shape_HW: rows and columns; by default those of the first frame.

    Raises:
        RecordingError: the first frame cannot be read.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, recording: Recording, shape_HW: tuple[int, int] | None = None) -> None:
        self.recording = recording
        height, width = shape_HW or recording.images[0].shape
        self.shape = (len(recording), height, width)
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Image] = OrderedDict()
        self._reported: set[int] = set()
        self._is_slow = False

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> "LazyStack":
        return self  # it never changes, and decoders cannot be copied

    def __getitem__(self, key: Any) -> Any:
        """Read like a numpy array; only the frames in the key are read."""
        if isinstance(key, np.ndarray) and key.dtype == bool and key.ndim == self.ndim:
            key = np.nonzero(key)
        when, inside = split(key)
        if isinstance(when, (int, np.integer)):
            return self._frame(self._position(when))[inside]
        if not isinstance(when, slice):
            return self._picked(np.asarray(when), inside)
        positions = range(*when.indices(len(self)))
        shape = np.empty(self.shape[1:], np.bool_)[inside].shape
        out = np.empty((len(positions), *shape), self.dtype)
        for place, position in enumerate(positions):
            out[place] = self._frame(position)[inside]
        return out

    def _picked(self, when: NDArray[Any], inside: tuple[Any, ...]) -> NDArray[np.uint8]:
        """Read single pixels (an index array for every axis) or whole frames."""
        if len(inside) < 2 or any(isinstance(index, slice) for index in inside):
            rows = [self._frame(self._position(t))[inside] for t in when.tolist()]
            return np.array(rows, self.dtype)
        when, *places = np.broadcast_arrays(when, *inside)
        out = np.empty(when.shape, self.dtype)
        for position in np.unique(when).tolist():
            here = when == position
            out[here] = self._frame(self._position(position))[tuple(i[here] for i in places)]
        return out

    def _position(self, when: Any) -> int:
        position = int(when) + (len(self) if when < 0 else 0)
        if not 0 <= position < len(self):
            raise IndexError(f"frame {when} of {len(self)}")
        return position

    def _frame(self, position: int) -> Image:
        """Return a frame, read-only, from memory or from the recording."""
        with self._lock:
            if position in self._kept:
                self._kept.move_to_end(position)
                return self._kept[position]
            goes_back = position + 1 in self._kept
        if self._is_slow and goes_back:
            for earlier in range(max(0, position - FRAMES_BACK + 1), position):
                self._keep(earlier, self._shown(earlier))
        start = time.perf_counter()
        image_HW = self._shown(position)
        self._is_slow = time.perf_counter() - start > SLOW_SECONDS or (self._is_slow and goes_back)
        self._keep(position, image_HW)
        return image_HW

    def _keep(self, position: int, image_HW: Image) -> None:
        image_HW.flags.writeable = False
        with self._lock:
            self._kept[position] = image_HW
            while len(self._kept) > 1 and len(self._kept) * image_HW.size > CACHE_BYTES:
                self._kept.popitem(last=False)

    def _read(self, position: int) -> Image | None:
        return self.recording.images[position]

    def _shown(self, position: int) -> Image:
        """Read a frame in the stack's shape; black, and reported once, if it cannot be read."""
        try:
            return fitted(self._read(position), self.shape[1:])
        except SonotempoError as error:
            if position not in self._reported:
                self._reported.add(position)
                tell_error(str(error))
            return fitted(None, self.shape[1:])


def fitted(given_HW: Image | None, shape_HW: tuple[int, int]) -> Image:
    """Crop an image to a shape, or pad it with black at the bottom and on the right."""
    if given_HW is not None and given_HW.shape == shape_HW:
        return given_HW.view()
    fitted_HW = np.zeros(shape_HW, np.uint8)
    if given_HW is not None:
        rows, columns = np.minimum(given_HW.shape, shape_HW)
        fitted_HW[:rows, :columns] = given_HW[:rows, :columns]
    return fitted_HW


def split(key: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split an index into time, and rows and columns."""
    parts = list(key) if isinstance(key, tuple) else [key]
    dots = [place for place, part in enumerate(parts) if part is Ellipsis]
    if dots:
        missing = LazyStack.ndim - (len(parts) - 1)
        parts[dots[0] : dots[0] + 1] = [slice(None)] * missing
    if len(parts) > LazyStack.ndim or any(part is None or part is Ellipsis for part in parts):
        raise IndexError(f"index {key!r} does not fit an array of time, rows and columns")
    return (parts[0], tuple(parts[1:])) if parts else (slice(None), ())
