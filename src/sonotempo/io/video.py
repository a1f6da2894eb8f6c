"""Video files as recordings, through PyAV.

Opening scans the packets without decoding them, which gives the number of frames and their
presentation times. Reading a frame seeks to the key frame before it and decodes from there; reading
in order decodes every frame once. Frames are turned as the file asks players to.
"""

import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.guard import in_few_words
from sonotempo.io.formats import Request
from sonotempo.io.timing import times_from
from sonotempo.io.video_index import VideoIndex, index_video, main_stream, open_container
from sonotempo.recording import Image, Recording


def open_video(request: Request) -> Recording:
    """Open a video file; no frame is decoded. Videos carry neither spacing nor masks.

    A file that ends earlier than its header announces is refused here. Damage inside is detected
    when the frame is read: ``recording[i]`` raises a RecordingError that names file and frame.

    Raises:
        RecordingError: the file is not a video, holds no frames, or is cut short.
    """
    path = request.path
    frames = VideoFrames(path)
    numbers = np.arange(len(frames), dtype=np.int64)
    times = times_from(frames.stamps_ns, numbers)
    return Recording(
        source=path,
        subject=request.subject or path.stem,
        name=request.name or path.stem,
        images=frames,
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        pixel_aspect=frames.pixel_aspect(),
        structures=request.structures,
        files=(path,),
    )


class VideoFrames:
    """The frames of a video; one decoder keeps its position between reads.

    The file is open from the first read until the last frame of the video was read, or this object
    is deleted. Threads take turns.

    Args:
        source: the file to read.
        path: what messages call it; by default the same.

    Raises:
        RecordingError: the file is not a video, holds no frames, or is cut short.
    """

    def __init__(self, source: Path, path: Path | None = None) -> None:
        self._source = source
        self._path = path or source
        self._index = index_video(source, self._path)
        self._lock = threading.Lock()
        self._decoder: _Decoder | None = None
        self._release: weakref.finalize[Any, Any] | None = None

    @property
    def stamps_ns(self) -> tuple[int | None, ...]:
        """The time of each frame in nanoseconds; None where the file has none."""
        return self._index.stamps_ns

    def pixel_aspect(self) -> float:
        """Return the height of a pixel divided by its width, as shown."""
        stored = self._index.pixel_aspect
        if stored == 1:
            return 1.0
        with self._lock:
            is_on_its_side = self._open().is_on_its_side()
            self._close()
        return 1 / stored if is_on_its_side else stored

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int, /) -> Image:
        with self._lock:
            try:
                image_HW = self._open().read(int(self._index.shown[index]))
            except Exception as error:
                self._close()
                raise self._undecodable(index, in_few_words(error)) from error
            if image_HW is None or index == len(self) - 1:
                self._close()
        if image_HW is None:
            raise self._undecodable(index, "its data are damaged")
        return image_HW

    def _open(self) -> "_Decoder":
        if self._decoder is None:
            self._decoder = _Decoder(self._source, self._index)
            # The decoder must not outlive this object: libav holds the file open.
            self._release = weakref.finalize(self, self._decoder.close)
        return self._decoder

    def _close(self) -> None:
        if self._release is not None:
            self._release()
        self._decoder = self._release = None

    def _undecodable(self, index: int, why: str) -> RecordingError:
        return RecordingError(
            f"frame {index} of {len(self)} in {self._path} cannot be decoded: {why}; copy or "
            "export the video again, or cut it before that frame"
        )


class _Decoder:
    """An open video and a position in it."""

    def __init__(self, path: Path, index: VideoIndex) -> None:
        self._path = path
        self._index = index
        self._trusts_keys = not index.counted
        self._container = open_container(path)
        self._next = 0
        self._frames = self._decoded()
        self._began_at_start = True
        self._last: tuple[int, Image] | None = None

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def is_on_its_side(self) -> bool:
        """Whether the first frame is shown with rows and columns exchanged."""
        frame, _ = next(self._frames)
        matrix = _display_matrix(frame)
        return matrix is not None and bool(abs(matrix[0, 1]) > abs(matrix[0, 0]))

    def read(self, index: int) -> Image | None:
        """Return a stored frame as uint8 grey HW, or None if it is damaged."""
        if self._last is not None and self._last[0] == index:
            return self._last[1]  # a repeated frame
        began_at_start = self._move_before(index)
        image_HW = self._decode_until(index)
        if image_HW is None and not began_at_start:
            # Not every frame that is marked as a key lets decoding start (intra refresh).
            self._go_to_start()
            image_HW = self._decode_until(index)
            self._trusts_keys = self._trusts_keys and image_HW is None
        self._last = None if image_HW is None else (index, image_HW)
        return image_HW

    def _move_before(self, index: int) -> bool:
        """Go to where decoding has to start, and return whether all was decoded from the start."""
        key = self._key_before(index)
        if key is None or not self._trusts_keys:
            if index < self._next:
                self._go_to_start()
            return True
        position = int(np.searchsorted(self._index.times, key))
        if index < self._next or position > self._next:
            self._container.seek(key, stream=main_stream(self._container))
            self._next = position
            self._frames = self._decoded()
            self._began_at_start = False
            return False
        return self._began_at_start

    def _go_to_start(self) -> None:
        # Seeking to the start is not exact in every format.
        self._container.close()
        self._container = open_container(self._path)
        self._next = 0
        self._frames = self._decoded()
        self._began_at_start = True

    def _decode_until(self, index: int) -> Image | None:
        for frame, sound in self._frames:
            position = self._position(frame)
            if position is None:
                continue
            self._next = position + 1
            if position == index:
                return _upright(frame) if sound else None
            if position > index:
                return None
        return None

    def _decoded(self) -> Iterator[tuple[Any, bool]]:
        """Decode from here to the end; yield each frame, and whether it is undamaged.

        After a packet that cannot be decoded, frames count as damaged until the next key frame (in
        a counted file until the end, because the count is lost).
        """
        sound = True
        for packet in self._container.demux(main_stream(self._container)):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                sound = False
                continue
            for frame in frames:
                sound = sound or (frame.key_frame and not self._index.counted)
                yield frame, sound and not frame.is_corrupt

    def _position(self, frame: Any) -> int | None:
        """Return which stored frame this is; None if the recording does not show it."""
        if self._index.counted or frame.pts is None:
            return self._next
        position = int(np.searchsorted(self._index.times, frame.pts))
        is_shown = position < len(self._index.times) and self._index.times[position] == frame.pts
        return position if is_shown else None

    def _key_before(self, index: int) -> int | None:
        """Return the time of the last key frame at or before a frame; None for the first one."""
        if self._index.counted:
            return None
        found = int(np.searchsorted(self._index.keys, self._index.times[index], side="right")) - 1
        return int(self._index.keys[found]) if found > 0 else None


def _upright(frame: Any) -> Image:
    """Return a frame as grey, turned and flipped by right angles as players do."""
    image_HW: Image = np.array(frame.to_ndarray(format="gray"))
    matrix = _display_matrix(frame)
    if matrix is None:
        return image_HW
    (x_of_x, y_of_x), (x_of_y, y_of_y) = matrix
    if abs(y_of_x) > abs(x_of_x):
        image_HW = image_HW.T
        x_of_x, y_of_y = x_of_y, y_of_x
    rows = slice(None, None, -1 if y_of_y < 0 else 1)
    columns = slice(None, None, -1 if x_of_x < 0 else 1)
    return np.ascontiguousarray(image_HW[rows, columns])


def _display_matrix(frame: Any) -> NDArray[np.int32] | None:
    """Return where a stored step in x and in y leads as shown; None if nothing is turned."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            matrix = np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]
            return matrix if matrix.any() else None
    return None
