"""The files of a recorded stream: FFV1 in Matroska or a MetaImage sequence, and the lines beside.

Everything that is written is with the operating system at once (nothing waits in this program but
the newest frame, in the Matroska muxer), so a killed program loses no more.
"""

import io
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from sonotempo.errors import SourceError
from sonotempo.io.stream_files import STREAM_KEY, STREAM_VERSION, lines_path, part_path, plain
from sonotempo.io.writers import write_frame
from sonotempo.live.ring_buffer import StreamedFrame
from sonotempo.recording import Image, Prediction

_MILLISECONDS = Fraction(1, 1000)
_REMEMBERED = 1024  # frames whose predictions may still come


class StreamFiles(Protocol):
    """Where a stream is recorded to."""

    def write_frame(self, streamed: StreamedFrame) -> None:
        """Write a frame; raises OSError."""
        ...

    def write_prediction(self, prediction: Prediction) -> bool:
        """Write a mask; False if its frame was not recorded; raises OSError."""
        ...

    def write_event(self, host_ns: int, kind: str, detail: str) -> None:
        """Write a line; raises OSError."""
        ...

    @property
    def frames_kept(self) -> int:
        """How many frames stay readable if everything ends now."""
        ...

    def close(self) -> None:
        """Finish all files; raises OSError."""
        ...


def open_stream_files(path: Path) -> StreamFiles:
    """Make the files of a recording: Matroska for a name in ``.mkv``, else a MetaImage folder.

    Raises:
        SourceError: there is something already, it cannot be written, or PyAV is missing.
    """
    if path.suffix and path.suffix != ".mkv":
        raise SourceError(
            f"{path} cannot be recorded to; give a name ending in .mkv (lossless video), or one "
            "without an ending for a folder of MetaImage files"
        )
    for taken in (path, lines_path(path)):
        if taken.exists():
            raise SourceError(f"{taken} is there already; record to another name")
    try:
        if path.suffix == ".mkv":
            path.parent.mkdir(parents=True, exist_ok=True)
            return MatroskaFiles(path)
        path.mkdir(parents=True)
        return MetaImageFiles(path)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written ({error.strerror or error}); record to another place"
        ) from error


class _File(io.RawIOBase):
    """A file without a buffer that writes all it is given, or nothing more after an error.

    After an error later writes are ignored, so that finishing the video cannot damage what is
    there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("xb", buffering=0)
        #: What went wrong first.
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self.error is None:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                self.error = error
                raise
        return size

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


class _Lines:
    """The ``.jsonl`` file: one line for each frame, event and prediction."""

    def __init__(self, path: Path) -> None:
        self._file = _File(lines_path(path))
        self.add(
            {
                STREAM_KEY: STREAM_VERSION,
                "began": datetime.now(UTC).isoformat(),
                "host_ns": time.monotonic_ns(),
            }
        )

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line."""
        self._file.write((json.dumps(line, separators=(",", ":")) + "\n").encode())

    def add_frame(self, streamed: StreamedFrame, segment: int) -> None:
        """Write what the pixels do not tell."""
        frame = streamed.frame
        area = frame.area
        self.add(
            {
                "frame": streamed.number,
                "segment": segment,
                "host_ns": streamed.host_ns,
                "probe_ns": streamed.probe_ns,
                "spacing_mm": frame.spacing_mm,
                "area": [area.top, area.left, area.bottom, area.right] if area else None,
            }
        )

    def add_event(self, host_ns: int, kind: str, detail: str) -> None:
        """Write what the source, or the recorder, reported."""
        self.add({"event": kind, "host_ns": host_ns, "detail": detail})

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Video:
    """One lossless grey video, frames of one size."""

    def __init__(self, path: Path, shape_HW: tuple[int, int]) -> None:
        import av  # noqa: PLC0415 (optional, and slow to import)

        self._av = av
        self._file = _File(path)
        # A cluster for each frame: the muxer gives one away when the next begins.
        at_once = {"flush_packets": "1", "cluster_time_limit": "0"}
        self._container = av.open(self._file, "w", format="matroska", options=at_once)
        options = {"level": "3", "g": "1", "slicecrc": "1"}
        self._stream = self._container.add_stream("ffv1", rate=1000, options=options)
        self._stream.height, self._stream.width = shape_HW
        self._stream.pix_fmt = "gray"
        self._stream.codec_context.time_base = _MILLISECONDS
        self._last = -1

    def write(self, image_HW: Image, milliseconds: int) -> int:
        """Write a frame and return its time: later than the one before by 1 ms at least."""
        self._last = max(milliseconds, self._last + 1)
        frame = self._av.VideoFrame.from_ndarray(image_HW, format="gray")
        frame.pts, frame.time_base = self._last, _MILLISECONDS
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise self._cause(error) from error
        return self._last

    def close(self) -> None:
        """Write what is left and the index."""
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
        except self._av.FFmpegError as error:
            raise self._cause(error) from error
        finally:
            self._file.close()

    def _cause(self, error: Any) -> OSError:
        """Return what the file said, which the library does not always pass on."""
        return self._file.error or OSError(error.errno, error.strerror)


class MatroskaFiles:
    """FFV1 in Matroska: a file for each size of frames, and one for each model's masks.

    Matroska's times are the host's, in milliseconds from the first frame; the exact ones are in
    the lines.

    Raises:
        SourceError: PyAV is missing.
    """

    def __init__(self, path: Path) -> None:
        try:
            import av  # noqa: F401, PLC0415 (said at the start, not at the first frame)
        except ModuleNotFoundError as error:
            raise SourceError(
                f"{path} needs PyAV to be written; install it with: pip install "
                "'sonotempo[video]', or record to a folder of MetaImage files: give a name "
                "without .mkv"
            ) from error
        self._path = path
        self._lines = _Lines(path)
        self._video: _Video | None = None
        self._shape_HW: tuple[int, int] | None = None
        self._segment = 0
        self._finished = self._unfinished = 0  # frames in closed segments, and in the open one
        self._began_ns: int | None = None
        self._recent: dict[int, tuple[int, int]] = {}  # number: segment and milliseconds
        self._masks: dict[tuple[str, int], _Video] = {}

    def write_frame(self, streamed: StreamedFrame) -> None:
        """Write a frame, into a new segment if its size is another."""
        image_HW = streamed.frame.image_HW
        video = self._video_for((image_HW.shape[0], image_HW.shape[1]))
        if self._began_ns is None:
            self._began_ns = streamed.host_ns
        milliseconds = video.write(image_HW, (streamed.host_ns - self._began_ns) // 1_000_000)
        self._unfinished += 1
        self._lines.add_frame(streamed, self._segment)
        self._recent[streamed.number] = self._segment, milliseconds
        if len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]

    def write_prediction(self, prediction: Prediction) -> bool:
        """Write a mask as grey levels, beside the segment of its frame."""
        number, model = prediction.frame.index, prediction.model
        if number not in self._recent:
            return False
        segment, milliseconds = self._recent[number]
        place = model, segment
        if place not in self._masks:
            height, width = prediction.mask_HW.shape
            path = part_path(self._path, segment, model)
            self._masks[place] = _Video(path, (height, width))
            self._lines.add({"of": model, "segment": segment, "file": path.name})
        self._masks[place].write(prediction.mask_HW, milliseconds)
        self._lines.add(
            {
                "prediction": number,
                "model": model,
                "segment": segment,
                "state_age": prediction.state_age,
            }
        )
        return True

    def write_event(self, host_ns: int, kind: str, detail: str) -> None:
        """Write a line."""
        self._lines.add_event(host_ns, kind, detail)

    @property
    def frames_kept(self) -> int:
        """All but the newest frame of the open segment: the muxer still holds that one."""
        return self._finished + max(0, self._unfinished - 1)

    def close(self) -> None:
        """Finish all files, whatever goes wrong with one of them."""
        videos = [video for video in (self._video, *self._masks.values()) if video]
        _close_all([*videos, self._lines])

    def _video_for(self, shape_HW: tuple[int, int]) -> _Video:
        if self._video is None or shape_HW != self._shape_HW:
            if self._video is not None:
                self._video.close()
                self._finished, self._unfinished = self._finished + self._unfinished, 0
            self._segment += 1
            path = part_path(self._path, self._segment)
            self._video, self._shape_HW = _Video(path, shape_HW), shape_HW
            self._lines.add({"segment": self._segment, "file": path.name, "size": shape_HW})
        return self._video


class MetaImageFiles:
    """``FOLDER/FOLDER_<i>.mhd`` from 0, as Annotation Web imports and FAST plays them.

    Lost frames leave gaps in the numbers. Masks go to a folder of their own for each model,
    ``FOLDER.masks-MODEL``, so that nobody takes them for annotations.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = _Lines(path)
        self._first: StreamedFrame | None = None
        self._recent: dict[int, None] = {}
        self._written = 0

    def write_frame(self, streamed: StreamedFrame) -> None:
        """Write a frame; its time stamp counts from the first one by the probe's clock."""
        if self._first is None:
            self._first = streamed
        frame = streamed.frame
        write_frame(
            self._path,
            f"{self._path.name}_{streamed.number - self._first.number}",
            frame.image_HW,
            None,
            spacing_mm=frame.spacing_mm,
            timestamp_ns=streamed.probe_ns - self._first.probe_ns,
        )
        self._written += 1
        self._lines.add_frame(streamed, 1)
        self._recent[streamed.number] = None
        if len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]

    def write_prediction(self, prediction: Prediction) -> bool:
        """Write a mask under its frame's name."""
        frame = prediction.frame
        if self._first is None or frame.index not in self._recent:
            return False
        folder = self._path.with_name(f"{self._path.name}.masks-{plain(prediction.model)}")
        folder.mkdir(exist_ok=True)
        write_frame(
            folder,
            f"{self._path.name}_{frame.index - self._first.number}",
            prediction.mask_HW,
            None,
            spacing_mm=frame.spacing_mm,
            timestamp_ns=frame.timestamp_ns - self._first.probe_ns,
        )
        self._lines.add(
            {
                "prediction": frame.index,
                "model": prediction.model,
                "segment": 1,
                "state_age": prediction.state_age,
            }
        )
        return True

    def write_event(self, host_ns: int, kind: str, detail: str) -> None:
        """Write a line."""
        self._lines.add_event(host_ns, kind, detail)

    @property
    def frames_kept(self) -> int:
        """All: each has a file of its own."""
        return self._written

    def close(self) -> None:
        """Close the lines; every frame is finished already."""
        self._lines.close()


def _close_all(files: list[Any]) -> None:
    """Close every file, then raise the first error that came up."""
    errors = []
    for file in files:
        try:
            file.close()
        except OSError as error:
            errors.append(error)
    if errors:
        raise errors[0]
