"""The lines that accompany a recorded stream, and a file without a buffer."""

import io
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sonotempo.folders import keep_names
from sonotempo.io.stream_files import STREAM_KEY, STREAM_VERSION, lines_path
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.recording import Prediction
from sonotempo.structures import StructureSet

_REMEMBERED_FRAMES = 1024  # whose predictions may still arrive


class UnbufferedFile(io.RawIOBase):
    """A file without a buffer that ignores all writes after an error.

    So finishing the video after an error cannot damage what was written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file = path.open("xb", buffering=0)
        #: What went wrong first.
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of it, or raise OSError; after that, write nothing more."""
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
        """Move to a position, see :class:`io.RawIOBase`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return that positions can be changed."""
        return True

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def close(self) -> None:
        """Close the file once it is safely on the disk; may be called twice.

        Raises:
            OSError: the disk refuses.
        """
        try:
            if not self._file.closed and self.error is None:
                os.fsync(self._file.fileno())
                keep_names(self._path.parent)
        finally:
            self._file.close()
            super().close()


class StreamFiles(ABC):
    """The files of a recorded stream: the ``.jsonl`` file, and the images that a subclass writes.

    The ``.jsonl`` file has one line for each frame, event and prediction. Everything is passed to
    the operating system at once. All writing methods raise OSError.

    Args:
        path: of the recording.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = UnbufferedFile(lines_path(path))
        self._recent: dict[int, tuple[int, int]] = {}  # by frame number: what _write_image returned
        self._add(
            {
                STREAM_KEY: STREAM_VERSION,
                "began": datetime.now(UTC).isoformat(),
                "host_ns": time.monotonic_ns(),
            }
        )

    @property
    @abstractmethod
    def frames_kept(self) -> int:
        """How many frames stay readable if the program is killed now."""

    @abstractmethod
    def _write_image(self, streamed: StreamedFrame) -> tuple[int, int]:
        """Write a frame's pixels; return the segment, and the time in it in milliseconds."""

    @abstractmethod
    def _write_mask(self, prediction: Prediction, segment: int, milliseconds: int) -> None:
        """Write a mask of the frame for which :meth:`_write_image` returned these numbers."""

    def write_frame(self, streamed: StreamedFrame) -> None:
        """Write a frame, and a line with its other values."""
        segment, milliseconds = self._write_image(streamed)
        self._add(
            {
                "frame": streamed.number,
                "segment": segment,
                "host_ns": streamed.host_ns,
                "probe_ns": streamed.probe_ns,
                "spacing_mm": streamed.frame.spacing_mm,
                "area": astuple(streamed.frame.area) if streamed.frame.area else None,
                "sector": astuple(streamed.frame.sector) if streamed.frame.sector else None,
            }
        )
        self._recent[streamed.number] = segment, milliseconds
        if len(self._recent) > _REMEMBERED_FRAMES:
            del self._recent[next(iter(self._recent))]

    def write_prediction(self, prediction: Prediction) -> bool:
        """Write a mask; False if its frame was not recorded."""
        number = prediction.frame.index
        if number not in self._recent:
            return False
        segment, milliseconds = self._recent[number]
        self._write_mask(prediction, segment, milliseconds)
        self._add(
            {
                "prediction": number,
                "model": prediction.model,
                "segment": segment,
                "state_age": prediction.state_age,
            }
        )
        return True

    def write_structures(self, structures: StructureSet) -> None:
        """Write a line with what the label values of the masks mean."""
        self._add({"structures": [asdict(one) for one in structures], "set": structures.name})

    def write_event(self, host_ns: int, kind: str, detail: str) -> None:
        """Write what the source, or the recorder, reported."""
        self._add({"event": kind, "host_ns": host_ns, "detail": detail})

    def close(self) -> None:
        """Finish all files."""
        self._lines.close()

    def _add(self, line: Mapping[str, Any]) -> None:
        self._lines.write((json.dumps(line, separators=(",", ":")) + "\n").encode())
