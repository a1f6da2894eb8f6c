"""Video files (mp4, mov, mkv, avi) as recordings, through PyAV.

Opening scans the packets without decoding them, which gives the number of frames and their
presentation times. Reading a frame seeks to the key frame before it and decodes from there; reading
in order decodes every frame once.
"""

import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.io.formats import Request
from sonotempo.io.timing import NOMINAL_FRAME_RATE_HZ, timestamps_from
from sonotempo.recording import Image, Recording

# How far the packets may end before the announced duration, because of rounding and a last frame
# without a duration. A file that ends earlier is cut short.
_TOLERATED_FRAMES = 2.5
_TOLERATED_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class _Index:
    """The positions of the frames.

    Attributes:
        times: presentation times in units of ``time_base`` seconds, increasing.
        keys: those of the key frames, where decoding can start.
        time_base: in seconds.
        counted: whether the file is AVI with reordered frames. AVI stores no presentation times,
            so these frames are identified by counting from the start.
    """

    times: NDArray[np.int64]
    keys: NDArray[np.int64]
    time_base: Fraction
    counted: bool


def open_video(request: Request) -> Recording:
    """Open a video file; no frame is decoded. Videos carry neither spacing nor masks.

    A file that ends earlier than its header announces is refused here. Damage inside is detected
    when the frame is read: ``recording[i]`` raises a RecordingError that names file and frame.

    Raises:
        RecordingError: the file is not a video, holds no frames, or is cut short.
    """
    path = request.path
    index = _index(path)
    numbers = np.arange(len(index.times), dtype=np.int64)
    nanoseconds = [
        round((time - int(index.times[0])) * index.time_base * 1_000_000_000)
        for time in index.times.tolist()
    ]
    return Recording(
        source=path,
        subject=request.subject or path.stem,
        name=request.name or path.stem,
        images=_VideoFrames(path, index),
        timestamps_ns=timestamps_from(nanoseconds, numbers),
        structures=request.structures,
        files=(path,),
    )


class _VideoFrames:
    """The frames of a video; one decoder keeps its position between reads.

    The file is open from the first read until the last frame of the video was read, or this object
    is deleted. Threads take turns.
    """

    def __init__(self, path: Path, index: _Index) -> None:
        self._path = path
        self._index = index
        self._lock = threading.Lock()
        self._decoder: _Decoder | None = None
        self._release: weakref.finalize[Any, Any] | None = None

    def __len__(self) -> int:
        return len(self._index.times)

    def __getitem__(self, index: int, /) -> Image:
        with self._lock:
            try:
                image_HW = self._open().read(index)
            except (av.FFmpegError, OSError, ValueError) as error:
                self._close()
                raise _undecodable(self._path, index, len(self), _reason(error)) from error
            if image_HW is None or index == len(self) - 1:
                self._close()
        if image_HW is None:
            raise _undecodable(self._path, index, len(self), "its data are damaged")
        return image_HW

    def _open(self) -> "_Decoder":
        if self._decoder is None:
            self._decoder = _Decoder(self._path, self._index)
            # The decoder must not outlive this object: libav holds the file open.
            self._release = weakref.finalize(self, self._decoder.close)
        return self._decoder

    def _close(self) -> None:
        if self._release is not None:
            self._release()
        self._decoder = self._release = None


class _Decoder:
    """An open video and a position in it."""

    def __init__(self, path: Path, index: _Index) -> None:
        self._path = path
        self._index = index
        self._container = av.open(str(path))
        self._next = 0
        self._frames = self._decoded()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def read(self, index: int) -> Image | None:
        """Return a frame as uint8 grey HW, or None if it is damaged."""
        key = self._key_before(index)
        if index < self._next or key > self._next:
            self._go_to(key)
        for frame, sound in self._frames:
            position = self._position(frame)
            self._next = position + 1
            if position == index:
                return np.array(frame.to_ndarray(format="gray")) if sound else None
            if position > index:
                return None
        return None

    def _decoded(self) -> Iterator[tuple[Any, bool]]:
        """Decode from here to the end; yield each frame, and whether it is undamaged.

        After a packet that cannot be decoded, frames count as damaged until the next key frame (in
        a counted file until the end, because the count is lost).
        """
        sound = True
        for packet in self._container.demux(self._container.streams.video[0]):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                sound = False
                continue
            for frame in frames:
                sound = sound or (frame.key_frame and not self._index.counted)
                yield frame, sound and not frame.is_corrupt

    def _position(self, frame: Any) -> int:
        if self._index.counted or frame.pts is None:
            return self._next
        return int(np.searchsorted(self._index.times, frame.pts))

    def _key_before(self, index: int) -> int:
        """Return the last frame at or before this one from which decoding can start."""
        if self._index.counted:
            return 0
        time = self._index.times[index]
        found = int(np.searchsorted(self._index.keys, time, side="right")) - 1
        return int(np.searchsorted(self._index.times, self._index.keys[max(found, 0)]))

    def _go_to(self, key: int) -> None:
        if key == 0:  # seeking to the start is not exact in every format
            self._container.close()
            self._container = av.open(str(self._path))
        else:
            stream = self._container.streams.video[0]
            self._container.seek(int(self._index.times[key]), stream=stream)
        self._next = key
        self._frames = self._decoded()


def _index(path: Path) -> _Index:
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise RecordingError(f"{path} holds no video stream; choose a video file")
            return _packets(container, path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise RecordingError(
            f"{path} cannot be read as a video ({_reason(error)}); it may be cut short: copy or "
            "export it again"
        ) from error


def _packets(container: Any, path: Path) -> _Index:
    stream = container.streams.video[0]
    times: list[int] = []
    keys: list[int] = []
    end = 0
    for packet in container.demux(stream):
        time = packet.dts if packet.pts is None else packet.pts
        if time is None or not packet.size:
            continue
        end = max(end, time + (packet.duration or 0))
        if packet.is_discard:  # outside the part shown by an edit list
            continue
        times.append(time)
        if packet.is_keyframe:
            keys.append(time)
    if not times:
        raise RecordingError(f"{path} holds no frames; it is cut short: copy or export it again")
    in_order = all(a < b for a, b in pairwise(times))
    is_avi = container.format.name == "avi"
    _check_whole(container, stream, len(times), end, path)
    return _Index(
        times=np.unique(np.array(times, np.int64)),
        keys=np.unique(np.array(keys or times[:1], np.int64)),
        time_base=stream.time_base,
        # Packets in order although frames are reordered: these are decoding times.
        counted=is_avi and in_order and bool(stream.codec_context.has_b_frames),
    )


def _check_whole(container: Any, stream: Any, count: int, end: int, path: Path) -> None:
    """Refuse a file whose packets end well before the announced duration."""
    rate_hz = float(stream.average_rate or 0) or NOMINAL_FRAME_RATE_HZ
    start = stream.start_time or 0
    if container.format.name == "avi":
        announced = float(stream.frames)
        reached = float(count)
    else:
        seconds = 0.0
        if stream.duration:
            seconds = float(stream.duration * stream.time_base)
        elif len(container.streams) == 1 and container.duration:
            seconds = container.duration / av.time_base
        announced = seconds * rate_hz
        reached = float((end - start) * stream.time_base) * rate_hz
    if announced - reached > max(_TOLERATED_FRAMES, _TOLERATED_SHARE * announced):
        raise RecordingError(
            f"{path} is cut short: it ends after frame {count} of about {round(announced)}; copy "
            "it again, or keep the readable part with 'ffmpeg -i … -c copy'"
        )


def _undecodable(path: Path, index: int, count: int, reason: str) -> RecordingError:
    return RecordingError(
        f"frame {index} of {count} in {path} cannot be decoded: {reason}; copy or export the "
        "video again, or cut it before that frame"
    )


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())
