"""A whole recording through the predictor that also streams, and its masks into files."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sonotempo import __version__
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.folders import make_folder
from sonotempo.io.skipped import Skipped
from sonotempo.io.writers import write_frame
from sonotempo.live.continuity import MAX_GAP_MS, Continuity
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.overlay import OverlayVideo
from sonotempo.recording import Frame, Prediction, Recording

#: Beside the masks: which model made them, and what their values mean.
ABOUT_FILE = "segmentation.json"


@dataclass(frozen=True, slots=True)
class Segmented:
    """What became of a recording.

    Attributes:
        folders: where the masks are, by the arm that made them.
        frames: how many were segmented.
        resets: before which frame numbers the state was reset, and why.
        skipped: frames that could not be read.
    """

    folders: dict[str, Path]
    frames: int
    resets: tuple[tuple[int, str], ...]
    skipped: tuple[Skipped, ...]


def segment_recording(
    recording: Recording,
    predictor: OnnxPredictor,
    out: Path,
    *,
    video: Path | None = None,
    max_gap_ms: float = MAX_GAP_MS,
    on_frame: Callable[[], object] = lambda: None,
) -> Segmented:
    """Segment every frame in order and write images and masks as an Annotation Web sequence.

    ``<name>_<frame number>.mhd`` beside ``<name>_<frame number>_gt.mhd``, in the frames' own shape,
    which :func:`~sonotempo.io.open_recording` and FAST read. A pair writes a folder for each arm.
    :data:`ABOUT_FILE` says which model made them. States are reset as in a stream.

    Args:
        recording: what to segment; a frame that cannot be read is left out and listed.
        predictor: is reset first; it stays open.
        out: a folder that is empty or not there yet.
        video: a file for a video with the outlines, or None.
        max_gap_ms: a longer gap between two frames resets the states.
        on_frame: called after every frame.

    Raises:
        RecordingError: the folder holds files, something cannot be written, or no frame could be
            read. What was written before stays.
    """
    card = predictor.model
    folders = _folders(out, card.arms)
    stem = re.sub(r"[^\w.-]+", "-", Path(recording.name).name) or "frame"
    rules = Continuity(max_gap_ms)
    resets: list[tuple[int, str]] = []
    skipped: list[Skipped] = []
    frames = 0
    with ExitStack() as files:
        overlay = None
        if video is not None:
            rate_hz = _frame_rate_hz(recording)
            overlay = files.enter_context(
                OverlayVideo(
                    video,
                    card.arms,
                    card.structures,
                    frame_rate_hz=rate_hz,
                    spacing_mm=recording.spacing_mm,
                )
            )
        for index, number in enumerate(recording.frame_numbers.tolist()):
            try:
                frame = recording[index]
            except SonotempoError as error:
                skipped.append(Skipped(recording.source, f"frame {number}: {error}"))
                on_frame()
                continue
            reason = rules.broken_by(frame)
            if reason is not None:
                predictor.reset()
                resets.append((number, reason))
            predictions = predictor.step(frame)
            _write(folders, f"{stem}_{number}", frame, predictions, frames)
            if overlay is not None:
                masks_HW = [prediction.mask_HW for prediction in predictions]
                overlay.add(frame.image_HW, masks_HW, frame.timestamp_ns)
            frames += 1
            on_frame()
    if not frames:
        raise RecordingError(f"no frame of {recording.source} could be read; {skipped[0].reason}")
    segmented = Segmented(folders, frames, tuple(resets), tuple(skipped))
    for arm, folder in folders.items():
        _write_about(folder / ABOUT_FILE, arm, recording, predictor, segmented)
    return segmented


def _folders(out: Path, arms: Sequence[str]) -> dict[str, Path]:
    """Make a folder for each arm; ``out`` itself if there is one arm."""
    make_folder(out, "--out", RecordingError)
    try:
        holds_files = any(out.iterdir())
    except OSError as error:
        raise RecordingError(
            f"{out} cannot be read ({error.strerror}); give another --out"
        ) from error
    if holds_files:
        raise RecordingError(
            f"{out} is not empty; masks of two recordings or models must not mix: give another "
            "--out"
        )
    folders = {arm: out / arm if len(arms) > 1 else out for arm in arms}
    for folder in folders.values():
        make_folder(folder, "--out", RecordingError)
    return folders


def _write(
    folders: dict[str, Path],
    stem: str,
    frame: Frame,
    predictions: Sequence[Prediction],
    written: int,
) -> None:
    for folder, prediction in zip(folders.values(), predictions, strict=True):
        try:
            write_frame(
                folder,
                stem,
                frame.image_HW,
                prediction.mask_HW,
                spacing_mm=frame.spacing_mm,
                timestamp_ns=frame.timestamp_ns,
            )
        except OSError as error:
            raise RecordingError(
                f"{folder / stem}.mhd cannot be written ({error.strerror}); the {written} frames "
                "before it are complete: make room, and give an empty --out to begin again"
            ) from error


def _write_about(
    path: Path, arm: str, recording: Recording, predictor: OnnxPredictor, segmented: Segmented
) -> None:
    card = predictor.model
    facts = {
        "made_by": f"sonotempo {__version__}",
        "model": card.name,
        "arm": arm,
        "run": card.run,
        "fold": card.fold,
        "precision": card.precision,
        "trained_on": card.trained_on,
        "note": card.note,
        "engine": predictor.engine,
        "recording": str(recording.source),
        "frames": segmented.frames,
        "structures": [
            {"label": label, **asdict(structure)}
            for label, structure in enumerate(card.structures, start=1)
        ],
        "resets": [{"frame": number, "reason": why} for number, why in segmented.resets],
        "skipped": [str(one.reason) for one in segmented.skipped],
    }
    try:
        path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written ({error.strerror}); the masks beside it are complete"
        ) from error


def _frame_rate_hz(recording: Recording) -> float:
    steps_ns = np.diff(recording.timestamps_ns)
    return 1e9 / max(1.0, float(np.median(steps_ns))) if len(steps_ns) else 25.0
