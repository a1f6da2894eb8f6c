"""A whole recording through the models that also stream, and its masks into files."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from sonotempo import __version__
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.folders import make_folder, short_name, without_folder
from sonotempo.io.writers import write_frame
from sonotempo.live.continuity import MAX_GAP_MS, Continuity
from sonotempo.live.models.onnx_predictor import GridPrediction, OnnxPredictor
from sonotempo.live.overlay import OverlayVideo
from sonotempo.recording import Frame, Image, Recording

#: The file that describes the masks in its folder: the model that made them, and the structures.
ABOUT_FILE = "segmentation.json"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One frame of a recording and what the models made of it.

    Attributes:
        index: position in the recording, from 0.
        number: the frame's number in the recording's files.
        frame: None if it cannot be read.
        predictions: of all models, in their order; empty if the frame cannot be read.
        reset: why the states were reset just before this frame, or None.
        problem: why the frame cannot be read; empty if it can.
    """

    index: int
    number: int
    frame: Frame | None = None
    predictions: tuple[GridPrediction, ...] = ()
    reset: str | None = None
    problem: str = ""


def segment_frames(
    recording: Recording, predictors: Sequence[OnnxPredictor], max_gap_ms: float = MAX_GAP_MS
) -> Iterator[Step]:
    """Step every frame of a recording through all models, in order, and yield each result.

    States are reset at the start and wherever a stream would reset them
    (:class:`~sonotempo.live.continuity.Continuity`). To cancel, stop iterating.

    Args:
        recording: what to segment; a frame that cannot be read is yielded with its problem.
        predictors: open models; they stay open.
        max_gap_ms: a longer gap between two frames resets the states.

    Raises:
        RecordingError: at the end, if no frame could be read.
    """
    rules = Continuity(max_gap_ms)
    problems: list[str] = []
    for index, number in enumerate(recording.frame_numbers.tolist()):
        try:
            frame = recording[index]
        except SonotempoError as error:
            problems.append(f"frame {number}: {error}")
            yield Step(index, number, problem=problems[-1])
            continue
        reset = rules.broken_by(frame)
        if reset is not None:
            for predictor in predictors:
                predictor.reset()
        made = [one for predictor in predictors for one in predictor.step_on_grid(frame)]
        yield Step(index, number, frame, tuple(made), reset)
    if len(problems) == len(recording):
        raise RecordingError(f"no frame of {recording.source} could be read; {problems[0]}")


@dataclass(frozen=True, slots=True)
class Segmented:
    """The outcome of segmenting a recording into files.

    Attributes:
        folders: where the masks are, by arm.
        frames: how many were segmented.
        resets: the frame numbers before which the states were reset, and why.
        skipped: a sentence for each frame that could not be read.
    """

    folders: dict[str, Path]
    frames: int
    resets: tuple[tuple[int, str], ...]
    skipped: tuple[str, ...]


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

    Each frame becomes ``<name>_<frame number>.mhd`` and ``<name>_<frame number>_gt.mhd``, in the
    frame's own shape, which :func:`~sonotempo.io.open_recording` and FAST read. A pair writes one
    folder per arm. :data:`ABOUT_FILE` records which model made the masks. States are reset as in a
    stream.

    Args:
        recording: what to segment; frames that cannot be read are left out and listed.
        predictor: stays open.
        out: an empty or new folder.
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
    resets: list[tuple[int, str]] = []
    skipped: list[str] = []
    frames = 0
    with ExitStack() as files:
        overlay = None
        if video is not None:
            overlay = files.enter_context(
                OverlayVideo(
                    video,
                    card.arms,
                    card.structures,
                    frame_rate_hz=recording.frame_rate_hz,
                    pixel_size=recording.pixel_size,
                )
            )
        for step in segment_frames(recording, [predictor], max_gap_ms):
            if step.reset is not None:
                resets.append((step.number, step.reset))
            if step.frame is None:
                skipped.append(step.problem)
            else:
                masks_HW = [prediction.mask_HW() for prediction in step.predictions]
                _write(folders, f"{stem}_{step.number}", step.frame, masks_HW, frames)
                if overlay is not None:
                    overlay.add(step.frame.image_HW, masks_HW, step.frame.timestamp_ns)
                frames += 1
            on_frame()
    segmented = Segmented(folders, frames, tuple(resets), tuple(skipped))
    for arm, folder in folders.items():
        _write_about(folder / ABOUT_FILE, arm, recording, predictor, segmented)
    return segmented


def _folders(out: Path, arms: Sequence[str]) -> dict[str, Path]:
    """Make one folder per arm; with a single arm, that is ``out`` itself."""
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
    masks_HW: Sequence[Image],
    written: int,
) -> None:
    for folder, mask_HW in zip(folders.values(), masks_HW, strict=True):
        try:
            write_frame(
                folder,
                stem,
                frame.image_HW,
                mask_HW,
                spacing_mm=frame.spacing_mm,
                timestamp_ns=frame.timestamp_ns,
            )
        except OSError as error:
            raise RecordingError(
                f"{folder / stem}.mhd cannot be written ({error.strerror}); the {written} frames "
                "before it are complete: free some space, and give an empty --out to start again"
            ) from error


def _write_about(
    path: Path, arm: str, recording: Recording, predictor: OnnxPredictor, segmented: Segmented
) -> None:
    card = predictor.model
    source = recording.source.absolute()
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
        "recording": short_name(recording.source),
        "frames": segmented.frames,
        "structures": [
            {"label": label, **asdict(structure)}
            for label, structure in enumerate(card.structures, start=1)
        ],
        "resets": [{"frame": number, "reason": why} for number, why in segmented.resets],
        "skipped": [without_folder(line, source.parent.parent) for line in segmented.skipped],
    }
    try:
        path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written ({error.strerror}); the masks in its folder are complete"
        ) from error
