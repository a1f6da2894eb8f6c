"""One export: trained weights in, one checked ``.onnx`` file out, or a refusal and no file."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from sonotempo import __version__
from sonotempo.arms import arm_named
from sonotempo.config import Experiment
from sonotempo.config_file import load_run
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import Fold, load_folds
from sonotempo.errors import ConfigError, RecordingError, unknown_option
from sonotempo.export.checks import network_input, require_no_drift, score_on_validation
from sonotempo.export.graph import export_graph, write_card
from sonotempo.export.parity import require_same_logits
from sonotempo.folders import make_folder, writing
from sonotempo.live.models.card import ModelCard, Precision
from sonotempo.models import Segmenter
from sonotempo.preprocess import area_from, fit_frame
from sonotempo.recording import Recording
from sonotempo.training.cohort import open_cohort
from sonotempo.training.job import shown_recordings
from sonotempo.training.progress import RunProgress
from sonotempo.training.weights import WeightsMetadata, load_weights

#: How many training frames the ranges of 8-bit values are measured on, and in clips of how many.
CALIBRATION_FRAMES, CALIBRATION_CLIP = 128, 16

#: How many frames torch and the engines are compared over in single precision.
PARITY_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported.

    Attributes:
        models: the networks by arm.
        metadata: of the first network's weights.
        run: their run folder, or None for a weights file outside a run.
        experiment: of that run, or None.
    """

    models: dict[str, Segmenter]
    metadata: WeightsMetadata
    run: Path | None
    experiment: Experiment | None

    @property
    def name(self) -> str:
        """The model's name on screen."""
        arms = " + ".join(self.models)
        run = f"{self.experiment.name} " if self.experiment else ""
        return f"{run}{arms}, fold {self.metadata.fold}"

    @property
    def trained_on(self) -> str:
        """The training data in words."""
        run = f" of run {self.experiment.name}" if self.experiment else ""
        return f"{len(self.metadata.trained_on)} recordings{run}"


def export_model(
    run: Path,
    out: Path,
    progress: RunProgress,
    *,
    fold: int = 0,
    arms: Sequence[str] = (),
    precision: str = "fp32",
    pair: bool = False,
    accept_loss: bool = False,
    name: str = "",
    trained_on: str = "",
    origin: str = "",
    facts: Sequence[str] = (),
) -> ModelCard:
    """Write one arm of a fold, or two that share their encoder, as one self-contained ONNX file.

    Single precision must give torch's logits. Half precision and 8 bits must keep the Dice on the
    fold's validation frames and must not drift over hundreds of frames, within the limits of
    :mod:`sonotempo.export.parity`; the ranges of 8 bits are measured on its training frames. The
    validation frames also give the temperatures of the confidence that the live window shows.

    Args:
        run: a run folder, or a ``weights.safetensors``.
        out: the ``.onnx`` file to write; untouched if the model is refused.
        progress: shows the steps.
        fold: which fold of the run.
        arms: which arm, or which two with ``pair``; by default ``frame``, with ``pair`` the two
            that share their encoder: ``frame`` or ``frame_joint``, and ``sequence``.
        precision: of weights and activations.
        pair: write two arms in one file, in which the encoder runs once.
        accept_loss: write the file although fewer bits cost more Dice than allowed.
        name: the model's name on screen; by default its run, arms and fold.
        trained_on: the training data in words; by default the number of recordings and the run.
        origin: the same in two or three words, for lists.
        facts: further measurements, one sentence each, listed before the export's checks.

    Returns:
        The card that is in the file.

    Raises:
        ConfigError: no such weights, or an impossible combination.
        RecordingError: fewer bits need the run's recordings, and they are missing.
        ModelError: the exported model is not the trained one; nothing is written.
    """
    if precision not in get_args(Precision):
        raise ConfigError(unknown_option("precision", precision, get_args(Precision)))
    wanted = cast(Precision, precision)
    if out.suffix != ".onnx":
        raise ConfigError(f"--out {out} does not end in .onnx; give for example {out.stem}.onnx")
    export = _opened(run, fold, arms, pair)
    metadata = export.metadata
    train, validation = _recordings(export, progress, needed=precision != "fp32")
    make_folder(out.parent, "--out", ConfigError)
    with writing(out.parent, "--out", ConfigError):
        folder = tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent)
    with folder as inside:
        full, fewer = Path(inside) / "fp32.onnx", Path(inside) / f"{precision}.onnx"
        progress.step(f"exporting {export.name}", 1)
        card = export_graph(export.models, metadata.structure_set, metadata.input_size, full)
        checks = [
            require_same_logits(
                full, card, list(export.models.values()), _clip(validation, metadata.input_size)
            )
        ]
        progress.say(checks[0])
        if precision != "fp32":
            assert export.experiment is not None
            if precision == "fp16":
                from sonotempo.export.quantization import to_half  # noqa: PLC0415  (slow)

                to_half(full, fewer)
            else:
                from sonotempo.export.quantization import to_int8  # noqa: PLC0415  (slow)

                progress.step("measuring ranges on training frames", CALIBRATION_FRAMES)
                clips = _calibration_clips(train, export.experiment, progress.advance)
                to_int8(full, fewer, card, clips)
            write_card(fewer, replace(card, precision=wanted))
        labelled = [recording for recording in validation if recording.scored]
        if export.experiment is not None and labelled:
            card, said = score_on_validation(
                fewer, full, card, labelled, export.experiment, progress, accept_loss=accept_loss
            )
            checks += said
        if precision != "fp32":
            checks.append(require_no_drift(fewer, full, card, validation, progress))
            progress.say(checks[-1])
        card = replace(
            card,
            name=name or export.name,
            area=area_from(metadata.area),
            precision=wanted,
            run=export.experiment.name if export.experiment else "",
            fold=metadata.fold,
            trained_on=trained_on or export.trained_on,
            origin=origin,
            note=export.experiment.note if export.experiment else "",
            version=__version__,
            checks=(*facts, *checks),
        )
        write_card(fewer, card)
        fewer.replace(out)
    return card


def _opened(run: Path, fold: int, arms: Sequence[str], pair: bool) -> Export:
    """Load the requested weights."""
    if pair and len(arms) not in (0, 2):
        raise ConfigError(f"a pair has two arms, but {len(arms)} are given; give --arm twice")
    if not pair and len(arms) > 1:
        raise ConfigError(f"{len(arms)} arms for one file; add --pair, or give one --arm")
    if run.is_file():
        if pair:
            raise ConfigError(f"a pair needs two arms: give the run folder instead of {run}")
        model, metadata = load_weights(run)
        if arms and arms[0] != metadata.arm:
            raise ConfigError(f"{run} holds the arm {metadata.arm!r}, not {arms[0]!r}")
        folder = run.resolve().parents[2] if len(run.resolve().parents) > 2 else run.parent
        inside = (folder / "config.yaml").is_file() and (folder / "folds.json").is_file()
        return Export(
            {metadata.arm: model},
            metadata,
            folder if inside else None,
            load_run(folder) if inside else None,
        )
    experiment = load_run(run)
    for arm in arms:
        if arm not in experiment.arms:
            raise ConfigError(unknown_option("arm", arm, experiment.arms))
        if arm_named(arm).is_oracle:
            raise ConfigError(
                f"arm {arm!r} is no network but the truth of a simulation; export a trained arm"
            )
        used = arm_named(arm).weights_of
        if used != arm:
            moving = arm_named(arm).inference == "along motion"
            how = " and stream it with --along-motion" if moving else ""
            raise ConfigError(
                f"arm {arm!r} has no weights: it runs those of {used!r} in another way; export "
                f"that arm, --arm {used},{how}".rstrip(",")
            )
    frame = "frame_joint" if "frame_joint" in experiment.arms else "frame"
    wanted = tuple(arms) or ((frame, "sequence") if pair else ("frame",))
    loaded = {arm: load_weights(_weights(run, arm, fold)) for arm in wanted}
    _, metadata = next(iter(loaded.values()))
    return Export({arm: model for arm, (model, _) in loaded.items()}, metadata, run, experiment)


def _weights(run: Path, arm: str, fold: int) -> Path:
    name = "weights.safetensors"
    path = run / arm / f"fold-{fold:02d}" / name
    if not path.is_file():
        there = sorted(found.parent.name for found in run.glob(f"{arm}/fold-*/{name}"))
        has = f"it has {', '.join(there)}" if there else "it has no trained fold of that arm yet"
        raise ConfigError(f"{run} has no weights of arm {arm!r} in fold {fold}; {has}")
    return path


def _recordings(
    export: Export, progress: RunProgress, *, needed: bool
) -> tuple[list[CachedRecording], list[CachedRecording]]:
    """Return the fold's training and validation recordings; none where they are optional."""
    if export.run is None or export.experiment is None:
        if needed:
            raise ConfigError(
                "fp16 and int8 are checked on the fold's validation frames; give the run folder "
                "instead of a weights file"
            )
        return [], []
    try:
        cohort = open_cohort(export.experiment, progress)
    except (RecordingError, ConfigError) as error:
        if needed:
            raise RecordingError(
                f"fp16 and int8 need the run's recordings, for calibration and checks: {error}"
            ) from error
        progress.say(f"the run's recordings are missing; checked on noise instead ({error})")
        return [], []
    fold = _fold(export.run, export.metadata.fold)
    return (
        [r for r in cohort.recordings if r.subject in fold.train],
        [r for r in cohort.recordings if r.subject in fold.validation],
    )


def _fold(run: Path, number: int) -> Fold:
    folds = {fold.number: fold for fold in load_folds(run / "folds.json")}
    if number not in folds:
        raise ConfigError(f"{run / 'folds.json'} has no fold {number}; it has {sorted(folds)}")
    return folds[number]


def _clip(recordings: Sequence[CachedRecording], size: int) -> NDArray[np.float32]:
    """Return network inputs T11SS of one recording, or changing noise if there is none."""
    longest = max(recordings, key=len, default=None)
    if longest is None or len(longest) < 2:
        random = np.random.default_rng(0)
        noise = random.random((PARITY_FRAMES, 1, 1, size, size), np.float32)
        return noise if longest is None else np.concatenate([network_input(longest), noise])
    return network_input(longest, PARITY_FRAMES)


def _calibration_clips(
    train: Sequence[CachedRecording], experiment: Experiment, on_frame: Callable[[], None]
) -> Iterator[Iterator[NDArray[np.float32]]]:
    """Yield clips from the middle of recordings, spread over all training subjects."""
    count = CALIBRATION_FRAMES // CALIBRATION_CLIP
    by_subject: dict[str, list[CachedRecording]] = {}
    for recording in train:
        by_subject.setdefault(recording.subject, []).append(recording)
    subjects = list(by_subject)
    chosen = []
    for turn in range(count):
        own = by_subject[subjects[turn % len(subjects)]]
        chosen.append(own[turn // len(subjects) % len(own)])
    for shown in shown_recordings(chosen, experiment):
        start = max(0, (len(shown) - CALIBRATION_CLIP) // 2)
        span = range(start, min(start + CALIBRATION_CLIP, len(shown)))
        yield _inputs(shown, span, experiment.data.input_size, on_frame)


def _inputs(
    recording: Recording, span: range, size: int, on_frame: Callable[[], None]
) -> Iterator[NDArray[np.float32]]:
    for index in span:
        frame = recording[index]
        image_SS = fit_frame(frame, size).image(frame.image_HW)
        yield image_SS[None, None].astype(np.float32) / np.float32(255)
        on_frame()
