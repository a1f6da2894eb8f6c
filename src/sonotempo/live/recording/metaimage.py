"""A recorded stream as a folder of MetaImage files."""

from pathlib import Path

from sonotempo.io.stream_files import plain
from sonotempo.io.writers import write_frame
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.live.recording.lines import REMEMBERED_FRAMES, StreamLines
from sonotempo.recording import Prediction


class MetaImageFiles:
    """``FOLDER/FOLDER_<i>.mhd`` from 0, as Annotation Web imports and FAST plays them.

    Lost frames leave gaps in the numbers. Masks go to a folder of their own for each model,
    ``FOLDER.masks-MODEL``, so that nobody takes them for annotations.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = StreamLines(path)
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
        if len(self._recent) > REMEMBERED_FRAMES:
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
        self._lines.add_prediction(prediction, 1)
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
