"""The lines beside a recorded stream, and the file that writes whatever it is given at once."""

import io
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sonotempo.io.stream_files import STREAM_KEY, STREAM_VERSION, lines_path
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.recording import Prediction

#: Frames whose predictions may still come.
REMEMBERED_FRAMES = 1024


class UnbufferedFile(io.RawIOBase):
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
        """Move, as of :class:`io.RawIOBase`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where it stands."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Say that it can be moved in."""
        return True

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()
        super().close()


class StreamLines:
    """The ``.jsonl`` file: one line for each frame, event and prediction.

    Args:
        path: of the recording that it lies beside.
    """

    def __init__(self, path: Path) -> None:
        self._file = UnbufferedFile(lines_path(path))
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

    def add_prediction(self, prediction: Prediction, segment: int) -> None:
        """Write whose mask was written, and how much its model had seen."""
        self.add(
            {
                "prediction": prediction.frame.index,
                "model": prediction.model,
                "segment": segment,
                "state_age": prediction.state_age,
            }
        )

    def add_event(self, host_ns: int, kind: str, detail: str) -> None:
        """Write what the source, or the recorder, reported."""
        self.add({"event": kind, "host_ns": host_ns, "detail": detail})

    def close(self) -> None:
        """Close the file."""
        self._file.close()
