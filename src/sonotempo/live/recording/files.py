"""The files of a recorded stream: FFV1 in Matroska or a MetaImage sequence, and the lines beside.

Everything that is written is with the operating system at once (nothing waits in this program but
the newest frame, in the Matroska muxer), so a killed program loses no more.
"""

from pathlib import Path
from typing import Protocol

from sonotempo.errors import SourceError
from sonotempo.io.stream_files import lines_path
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.live.recording.matroska import MatroskaFiles
from sonotempo.live.recording.metaimage import MetaImageFiles
from sonotempo.recording import Prediction


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
