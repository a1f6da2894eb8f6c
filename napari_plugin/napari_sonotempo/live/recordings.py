"""Recording the live stream: frames without loss, the masks with them, and a video to show."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_sonotempo.live.session import LiveSession
from napari_sonotempo.live.snapshot import new_name
from napari_sonotempo.shared.jobs import Jobs
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.io import open_recording
from sonotempo.io.stream_recording import open_predictions
from sonotempo.live.overlay import OverlayVideo
from sonotempo.live.recording.recorder import Recorder, RecorderStatistics
from sonotempo.recording import Image
from sonotempo.structures import StructureSet


class Recordings(QObject):
    """Starts and stops recordings, and makes videos of them in the background.

    Args:
        jobs: delivers results on the GUI thread.
    """

    said = Signal(str, str)  # Level, sentence
    changed = Signal(bool)  # whether frames are being recorded
    saved = Signal(str)  # the path of a complete recording
    video_saved = Signal(str)
    progress = Signal(int, int)  # frames of a video so far, and in all; 0, 0 at its end

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._began_ns = 0
        self._models: dict[Path, tuple[tuple[str, ...], StructureSet | None]] = {}

    def start(self, session: LiveSession, folder: Path) -> None:
        """Record to a new file in a folder."""
        path = folder / f"{new_name('recording')}.mkv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            session.record(path)
        except OSError as error:
            self.said.emit(
                "error",
                f"The folder cannot be created ({error.strerror or error}): {folder}. Choose "
                "another folder.",
            )
        except SonotempoError as error:
            self.said.emit("error", str(error))
        else:
            self._models[path] = session.names, session.structures
            self.changed.emit(True)
            self.said.emit("info", f"recording to {path.name}")

    def stop(self, session: LiveSession) -> None:
        """Finish the recording in the background; no frame received so far is lost."""
        if session.recorder is None:
            return
        session.record_masks()
        recorder, session.recorder = session.recorder, None
        self.changed.emit(False)
        self._jobs.run(
            "recording", recorder.stop, self._report(recorder), self._say_error, must_end=True
        )

    def stream_ended(self, session: LiveSession) -> None:
        """Finish the recording of a stream that is about to be closed."""
        self.stop(session)

    def pull(self, session: LiveSession) -> None:
        """Pass on new masks, and report what went wrong; called with every picture."""
        recorder = session.recorder
        if recorder is None:
            return
        for event in recorder.events():
            self._say_error(event.detail)
        if recorder.problem is not None:
            self.stop(session)
        else:
            session.record_masks()

    @staticmethod
    def words(session: LiveSession) -> str:
        """Return how long and how many frames have been recorded; empty if nothing is."""
        if session.recorder is None:
            return ""
        frames = session.recorder.statistics.frames
        minutes, seconds = divmod(int(session.recorded_s), 60)
        return f"{minutes}:{seconds:02d}  {frames} frames"

    def make_video(self, path: Path) -> None:
        """Write a video with the recorded masks' outlines next to a recording."""
        names, structures = self._models.get(path, ((), None))
        if structures is None or not names:
            self.said.emit("warning", "No model was running while this was recorded.")
            return

        def write(tell: Callable[..., None], cancelled: Any) -> None:
            video = path.with_suffix(".overlay.mp4")
            made = write_video(
                path,
                names,
                structures,
                video,
                lambda n, of: tell(self.progress.emit, n, of),
                cancelled.is_set,
            )
            tell(self.progress.emit, 0, 0)
            if made:
                tell(self.video_saved.emit, str(video))
                tell(self.said.emit, "info", f"video of {made} frames in {video}")

        def failed(sentence: str) -> None:
            self.progress.emit(0, 0)
            self._say_error(sentence)

        self._jobs.follow("video", write, failed)

    def _report(self, recorder: Recorder) -> Callable[[RecorderStatistics], None]:
        def report(statistics: RecorderStatistics) -> None:
            if recorder.problem is None:
                self.said.emit(
                    "info",
                    f"{statistics.frames} frames and {statistics.predictions} masks recorded to "
                    f"{recorder.path}",
                )
                self.saved.emit(str(recorder.path))

        return report

    def _say_error(self, sentence: str) -> None:
        self.said.emit("error", sentence)


def write_video(  # noqa: PLR0917
    path: Path,
    names: tuple[str, ...],
    structures: StructureSet,
    video: Path,
    on_frame: Callable[[int, int], object],
    is_cancelled: Callable[[], bool],
) -> int:
    """Draw the recorded masks of every frame into a video; return the number of frames.

    Args:
        path: of a recording with masks, as :class:`Recordings` makes it.
        names: of the models whose masks were recorded.
        structures: of the masks.
        video: the file to write.
        on_frame: gets the frames so far and in all.
        is_cancelled: whether to end early.

    Raises:
        RecordingError: nothing was recorded, or the file cannot be written.
    """
    recording = open_recording(path)
    masks = open_predictions(path)
    empty_HW = np.zeros(recording[0].image_HW.shape, np.uint8)
    written = 0
    with OverlayVideo(
        video,
        names,
        structures,
        frame_rate_hz=recording.frame_rate_hz,
        pixel_size=recording.pixel_size,
    ) as overlay:
        for index, number in enumerate(recording.frame_numbers.tolist()):
            if is_cancelled():
                break
            frame = recording[index]
            if frame.image_HW.shape != empty_HW.shape:
                raise RecordingError(
                    f"frame {number} of {path.name} has another size than the first; the video "
                    f"ends before it, after {written} frames"
                )
            found = [_mask(masks.get(name), number, empty_HW) for name in names]
            overlay.add(frame.image_HW, found, frame.timestamp_ns)
            written += 1
            on_frame(written, len(recording))
    return written


def _mask(masks: Mapping[int, Callable[[], Image]] | None, number: int, empty_HW: Image) -> Image:
    """Return the mask of a frame; a frame that no model has seen has an empty one."""
    return empty_HW if masks is None or number not in masks else masks[number]()
