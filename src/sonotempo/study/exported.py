"""Exported models scored on recordings: what is on the laptop is what is judged.

The file runs in the live engine, frame by frame, so that quantisation and engine have their part in
the scores.
"""

from functools import partial
from pathlib import Path

from sonotempo.config import Experiment
from sonotempo.config_file import experiment_on_grid, load_run
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.report.tables import run_table
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.files import joined, write_scores
from sonotempo.evaluation.scoring.mask_files import DrawnMasks, write_masks
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, ArmFacts
from sonotempo.evaluation.scoring.scored_data import ScoredData
from sonotempo.live.models.card import ModelCard, read_card
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.recording import Frame, Prediction
from sonotempo.study.other_data import DataScores, with_data, with_stress
from sonotempo.training.cohort import open_cohort
from sonotempo.training.job import shown_recordings
from sonotempo.training.progress import RunProgress
from sonotempo.training.weights import WeightsMetadata, read_weights_metadata


class _Member:
    """One arm of a file, as a predictor."""

    def __init__(self, predictor: OnnxPredictor, position: int) -> None:
        self._predictor = predictor
        self._position = position

    @property
    def stateful(self) -> bool:
        """Whether earlier frames matter."""
        return self._predictor.stateful

    def reset(self) -> None:
        """Forget all earlier frames."""
        self._predictor.reset()

    def step(self, frame: Frame) -> tuple[Prediction, ...]:
        """Segment the next frame."""
        return (self._predictor.step(frame)[self._position],)


def evaluate_exported(
    model: Path,
    data: Path,
    cache: Path,
    progress: RunProgress,
    *,
    like: Path | None = None,
    out: Path | None = None,
    stress: bool = False,
    follow_links: bool = False,
) -> DataScores:
    """Score every arm of an exported file on recordings with masks.

    Args:
        model: the ``.onnx`` file, as ``sonotempo export`` writes it.
        data: recordings with references.
        cache: folder for fitted frames.
        progress: advanced after every recording.
        like: the run that the file was exported from: its rules hold, and subjects that the file's
            fold was trained on are left out. Without it the rules are the defaults, and nothing
            tells what the file was trained on.
        out: where to write; each arm gets a folder ``<arm>-<precision>``, which can be compared.
        stress: score disturbed recordings too.
        follow_links: whether links in the data may lead outside its folder.

    Raises:
        ModelError: not an exported file.
        ConfigError: ``like`` is not the file's run.
        RecordingError: nothing can be scored.
    """
    card = read_card(model)
    experiment = with_data(_experiment(card, like, model), data, cache, follow_links)
    if stress:
        experiment = with_stress(experiment)
    cohort = open_cohort(experiment, progress)
    trained = _trained(card, like)
    seen = {
        one.subject
        for one in cohort.recordings
        if any(weights.has_seen(one) for weights in trained)
    }
    scored_by = [one for one in cohort.recordings if one.scored]
    unseen = [one for one in scored_by if one.subject not in seen]
    if not unseen:
        raise RecordingError(
            f"every subject in {data} was used to train {model}; give data that it has not seen"
        )
    parts = {}
    for position, arm in enumerate(card.arms):
        name = f"{arm}-{card.precision}"
        progress.step(f"{name}: scoring", len(unseen))
        with OnnxPredictor(model) as predictor:
            parts[name] = evaluate(
                _Member(predictor, position),
                shown_recordings(unseen, experiment),
                experiment.evaluate,
                arm=name,
                fold=card.fold or 0,
                every_frame=not all(recording.is_still for recording in unseen),
                seed=experiment.seed,
                on_masks=_nothing if out is None else partial(write_masks, out / name),
                on_recording=progress.advance,
            )
    evaluation = joined(list(parts.values()))
    scored = ScoredData(
        rules=experiment.evaluate,
        structures=experiment.structures.names,
        data=cohort.facts,
        notes=(*cohort.notes, *_notes(model, card, like, len(scored_by) - len(unseen))),
    )
    table = run_table(
        evaluation.frames,
        experiment.evaluate,
        list(parts),
        experiment.structures.names,
        title=f"{model.name} on {data.name}",
        notes=scored.sentences,
    )
    found = DataScores(evaluation, scored, table)
    if out is not None:
        found.write(out)
        for name, part in parts.items():
            write_scores(out / name, part)
            scored.write(out / name)
            facts = ArmFacts(arm=name, fold=card.fold or 0, external=True)
            facts.write(out / name / FACTS_FILE)
    return found


def _experiment(card: ModelCard, like: Path | None, model: Path) -> Experiment:
    names = list(card.structures.names)
    if like is None:
        return experiment_on_grid(names, card.input_size, card.area)
    experiment = load_run(like)
    if list(experiment.structures.names) != names or experiment.data.input_size != card.input_size:
        raise ConfigError(
            f"{model} finds {', '.join(names)} on a grid of {card.input_size} pixels, but {like} "
            f"is about {', '.join(experiment.structures.names)} on {experiment.data.input_size}; "
            "give the run that it was exported from"
        )
    return experiment


def _trained(card: ModelCard, like: Path | None) -> list[WeightsMetadata]:
    if like is None or card.fold is None:
        return []
    found = sorted(like.glob(f"*/fold-{card.fold:02d}/weights.safetensors"))
    return [read_weights_metadata(path) for path in found]


def _notes(model: Path, card: ModelCard, like: Path | None, left_out: int) -> tuple[str, ...]:
    notes = [f"exported model {model.name}, {card.precision}, in the live engine"]
    if like is None:
        notes.append(
            "the file does not tell which recordings it was trained on: make sure that these are "
            "none of them, or add --like RUN"
        )
    if left_out:
        notes.append(f"{left_out} recordings left out: this fold was trained on their subjects")
    return tuple(notes)


def _nothing(masks: DrawnMasks) -> None:
    """Keep no masks."""
