"""A recorded stream as lossless video: FFV1 in Matroska."""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

from sonotempo.errors import SourceError
from sonotempo.io.stream_files import part_path
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.live.recording.lines import StreamFiles, UnbufferedFile
from sonotempo.recording import Image, Prediction

_MILLISECONDS = Fraction(1, 1000)


class _Video:
    """One lossless grey video, frames of one size."""

    def __init__(self, path: Path, shape_HW: tuple[int, int]) -> None:
        import av  # noqa: PLC0415 (optional, and slow to import)

        self._av = av
        self._file = UnbufferedFile(path)
        # A cluster for each frame: the muxer writes one when the next begins.
        at_once = {"flush_packets": "1", "cluster_time_limit": "0"}
        self._container = av.open(self._file, "w", format="matroska", options=at_once)
        options = {"level": "3", "g": "1", "slicecrc": "1"}
        self._stream = self._container.add_stream("ffv1", rate=1000, options=options)
        self._stream.height, self._stream.width = shape_HW
        self._stream.pix_fmt = "gray"
        self._stream.codec_context.time_base = _MILLISECONDS
        self._last = -1

    def write(self, image_HW: Image, milliseconds: int) -> int:
        """Write a frame and return its time: at least 1 ms after the previous one."""
        self._last = max(milliseconds, self._last + 1)
        frame = self._av.VideoFrame.from_ndarray(image_HW, format="gray")
        frame.pts, frame.time_base = self._last, _MILLISECONDS
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise self._cause(error) from error
        return self._last

    def close(self) -> None:
        """Write the remaining frames and the index."""
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
        except self._av.FFmpegError as error:
            raise self._cause(error) from error
        finally:
            self._file.close()

    def _cause(self, error: Any) -> OSError:
        """Return the file's own error, which the library does not always pass on."""
        return self._file.error or OSError(error.errno, error.strerror)


class MatroskaFiles(StreamFiles):
    """FFV1 in Matroska: a file for each size of frames, and one for each model's masks.

    Matroska's times are the host's, in milliseconds from the first frame; the exact times are in
    the ``.jsonl`` file.

    Raises:
        SourceError: PyAV is missing.
    """

    def __init__(self, path: Path) -> None:
        try:
            import av  # noqa: F401, PLC0415 (reported at the start, not at the first frame)
        except ModuleNotFoundError as error:
            raise SourceError(
                f"{path} needs PyAV to be written; install it with: pip install "
                "'sonotempo[video]', or record to a folder of MetaImage files: give a name "
                "without .mkv"
            ) from error
        super().__init__(path)
        self._video: _Video | None = None
        self._shape_HW: tuple[int, int] | None = None
        self._segment = 0
        self._finished = self._unfinished = 0  # frames in closed segments, and in the open one
        self._began_ns: int | None = None
        self._masks: dict[tuple[str, int], _Video] = {}

    @property
    def frames_kept(self) -> int:
        """All but the newest frame of the open segment: the muxer still holds that one."""
        return self._finished + max(0, self._unfinished - 1)

    def close(self) -> None:
        """Finish all files, whatever goes wrong with one of them."""
        with ExitStack() as files:
            files.callback(super().close)
            for video in (self._video, *self._masks.values()):
                if video is not None:
                    files.callback(video.close)

    def _write_image(self, streamed: StreamedFrame) -> tuple[int, int]:
        """Write a frame, into a new segment if its size has changed."""
        image_HW = streamed.frame.image_HW
        video = self._video_for((image_HW.shape[0], image_HW.shape[1]))
        if self._began_ns is None:
            self._began_ns = streamed.host_ns
        milliseconds = video.write(image_HW, (streamed.host_ns - self._began_ns) // 1_000_000)
        self._unfinished += 1
        return self._segment, milliseconds

    def _write_mask(self, prediction: Prediction, segment: int, milliseconds: int) -> None:
        """Write a mask as grey levels; it has one file for each segment and model."""
        model = prediction.model
        if (model, segment) not in self._masks:
            height, width = prediction.mask_HW.shape
            path = part_path(self._path, segment, model)
            self._masks[model, segment] = _Video(path, (height, width))
            self._add({"of": model, "segment": segment, "file": path.name})
        self._masks[model, segment].write(prediction.mask_HW, milliseconds)

    def _video_for(self, shape_HW: tuple[int, int]) -> _Video:
        if self._video is None or shape_HW != self._shape_HW:
            if self._video is not None:
                self._video.close()
                self._finished, self._unfinished = self._finished + self._unfinished, 0
            self._segment += 1
            path = part_path(self._path, self._segment)
            self._video, self._shape_HW = _Video(path, shape_HW), shape_HW
            self._add({"segment": self._segment, "file": path.name, "size": shape_HW})
        return self._video
