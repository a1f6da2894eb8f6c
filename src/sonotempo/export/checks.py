"""The checks of an exported file on its fold's validation frames: Dice, calibration, drift."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.errors import ModelError
from sonotempo.export.confidence import calibration_words, with_temperatures
from sonotempo.export.parity import (
    DICE_LOSS_ALLOWED,
    DRIFT_ALLOWED,
    DRIFT_FRAMES,
    drift,
    streamed_scores,
)
from sonotempo.live.models.card import ModelCard
from sonotempo.training.job import shown_recordings
from sonotempo.training.progress import RunProgress

_DRIFT_CLIP = 30


def score_on_validation(  # noqa: PLR0917
    path: Path,
    reference: Path,
    card: ModelCard,
    labelled: Sequence[CachedRecording],
    experiment: Experiment,
    progress: RunProgress,
    *,
    accept_loss: bool,
) -> tuple[ModelCard, list[str]]:
    """Score a file on the validation recordings.

    Returns:
        The card with temperatures, and the results in words.

    Raises:
        ModelError: with fewer bits an arm loses more Dice than allowed, and that was not accepted.
    """
    frames = sum(len(recording.scored) for recording in labelled)
    said = []
    progress.step(f"validation frames, {path.stem}", len(labelled))
    dice, reliabilities = streamed_scores(
        path, shown_recordings(labelled, experiment), progress.advance
    )
    if path != reference:
        progress.step("validation frames, single precision", len(labelled))
        full, _ = streamed_scores(
            reference, shown_recordings(labelled, experiment), progress.advance
        )
        names = experiment.structures.names
        said.append(_require_dice(path.stem, full, dice, names, frames, accept_loss=accept_loss))
        progress.say(said[-1])
    card = with_temperatures(card, reliabilities)
    said.append(calibration_words(card, reliabilities, frames))
    progress.say(said[-1])
    return card, said


def _require_dice(
    precision: str,
    full: NDArray[np.float64],
    fewer: NDArray[np.float64],
    names: Sequence[str],
    frames: int,
    *,
    accept_loss: bool,
) -> str:
    """Compare the validation Dice with that of the full model; return the result in words.

    Raises:
        ModelError: an arm loses more than allowed, and that was not accepted.
    """
    before, after = _mean(full, 1), _mean(fewer, 1)
    loss = float(np.max(before - after))
    by_structure = ", ".join(
        f"{name} {b:.3f} to {a:.3f}"
        for name, b, a in zip(names, _mean(full, 0), _mean(fewer, 0), strict=True)
    )
    said = f"{precision} costs {loss:+.4f} Dice on {frames} validation frames ({by_structure})"
    if not loss <= DICE_LOSS_ALLOWED and not accept_loss:  # NaN, nothing to score, is refused too
        raise ModelError(
            f"{said}; at most {DICE_LOSS_ALLOWED} is allowed, so nothing was written: stay with "
            "--precision fp32, or accept it with --accept-loss"
        )
    return said


def _mean(dice: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the mean of what has a value; NaN without a warning where nothing has."""
    counted = np.count_nonzero(~np.isnan(dice), axis=axis)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.nansum(dice, axis=axis) / counted
    return mean


def require_no_drift(
    path: Path,
    reference: Path,
    card: ModelCard,
    validation: Sequence[CachedRecording],
    progress: RunProgress,
) -> str:
    """Step both models far beyond any training clip; return the result in words.

    Raises:
        ModelError: they move apart.
    """
    frames = network_input(max(validation, key=len), _DRIFT_CLIP)
    progress.step(f"drift over {DRIFT_FRAMES} frames", DRIFT_FRAMES)
    first, last = drift(path, reference, card, frames, progress.advance)
    said = (
        f"probabilities differ from single precision by {first:.4f} on average at first, by "
        f"{last:.4f} after {DRIFT_FRAMES} frames"
    )
    if not last - first <= DRIFT_ALLOWED:
        raise ModelError(
            f"{path.stem} drifts: {said}; nothing was written: stay with --precision fp32"
        )
    return said


def network_input(recording: CachedRecording, frames: int | None = None) -> NDArray[np.float32]:
    """Return the first frames of a recording as network inputs T11SS."""
    frames_TSS = np.asarray(recording.frames_TSS()[:frames])
    return frames_TSS[:, None, None].astype(np.float32) / np.float32(255)
