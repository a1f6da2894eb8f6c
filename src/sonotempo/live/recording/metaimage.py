"""A recorded stream as a folder of MetaImage files."""

import os
from pathlib import Path

from sonotempo.folders import keep_names
from sonotempo.io.stream_files import plain
from sonotempo.io.writers import write_frame
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.live.recording.lines import StreamFiles
from sonotempo.recording import Frame, Image, Prediction


class MetaImageFiles(StreamFiles):
    """``FOLDER/FOLDER_<i>.mhd`` from 0, as Annotation Web imports and FAST plays them.

    Lost frames leave gaps in the numbers. Each model's masks go to a separate folder,
    ``FOLDER.masks-MODEL``, so that they are not mistaken for annotations.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._first: StreamedFrame | None = None
        self._written = 0
        self._folders = {path}

    @property
    def frames_kept(self) -> int:
        """All: each has its own file."""
        return self._written

    def close(self) -> None:
        """Finish once all files are safely on the disk."""
        try:
            for folder in self._folders:
                for path in folder.iterdir():
                    with path.open("rb") as file:
                        os.fsync(file.fileno())
                keep_names(folder)
        finally:
            super().close()

    def _write_image(self, streamed: StreamedFrame) -> tuple[int, int]:
        self._first = self._first or streamed
        self._write(self._path, streamed.frame, streamed.frame.image_HW)
        self._written += 1
        return 1, 0

    def _write_mask(self, prediction: Prediction, segment: int, milliseconds: int) -> None:
        folder = self._path.with_name(f"{self._path.name}.masks-{plain(prediction.model)}")
        folder.mkdir(exist_ok=True)
        self._folders.add(folder)
        self._write(folder, prediction.frame, prediction.mask_HW)

    def _write(self, folder: Path, frame: Frame, image_HW: Image) -> None:
        """Write an image under its frame's name; times count from the first frame."""
        if self._first is None:
            raise ValueError("no frame was written yet")
        write_frame(
            folder,
            f"{self._path.name}_{frame.index - self._first.number}",
            image_HW,
            None,
            spacing_mm=frame.spacing_mm,
            timestamp_ns=frame.timestamp_ns - self._first.probe_ns,
        )
