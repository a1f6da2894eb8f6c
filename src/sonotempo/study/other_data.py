"""Trained weights evaluated on other data, never on subjects that they were trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sonotempo.arms import arm_named
from sonotempo.config import DataConfig, Experiment, StressConfig
from sonotempo.config_file import load_run
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.report.tables import RunTable, run_table
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.files import Evaluation, joined, write_scores
from sonotempo.evaluation.scoring.mask_files import DrawnMasks, write_masks
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, read_facts
from sonotempo.evaluation.scoring.scored_data import ScoredData
from sonotempo.folders import writing
from sonotempo.models import as_run
from sonotempo.training.cohort import open_cohort
from sonotempo.training.device import device_of
from sonotempo.training.job import shown_recordings
from sonotempo.training.progress import RunProgress
from sonotempo.training.torch_predictor import TorchPredictor
from sonotempo.training.weights import load_weights, read_weights_metadata


@dataclass(frozen=True, slots=True, eq=False)
class DataScores:
    """Scores on a data set.

    Attributes:
        evaluation: every table of scores, of all arms.
        scored: what they were made from, and by which rules.
        table: the arms side by side.
    """

    evaluation: Evaluation
    scored: ScoredData
    table: RunTable

    def write(self, out: Path) -> None:
        """Write the tables of all arms into a folder.

        Raises:
            SonotempoError: the folder cannot be written.
        """
        with writing(out, "--out"):
            write_scores(out, self.evaluation)
            self.scored.write(out)
            (out / "table.md").write_text(self.table.markdown(), encoding="utf-8")
            (out / "table.csv").write_text(self.table.csv(), encoding="utf-8")


def evaluate_weights(
    weights: Path,
    data: Path,
    cache: Path,
    progress: RunProgress,
    out: Path | None = None,
    *,
    stress: bool = False,
    follow_links: bool = False,
) -> DataScores:
    """Score a weights file, or every fold of a run, on a data set.

    A subject is never scored by a fold that was trained on one of its recordings, known by their
    content; where several folds of a run may score a recording, the first of them does, so that no
    recording counts twice. With ``out``, each arm's scores, masks and facts are written to
    ``out/<arm>``; a comparison reads ``out``, or single arms of it.

    With ``stress``, disturbed recordings are scored too, as the run's settings say or by default.
    With ``follow_links``, links in the data may lead outside its folder.

    Raises:
        ConfigError: not a run folder or weights file.
        RecordingError: nothing can be scored.
    """
    if weights.is_dir():
        if not (weights / "config.yaml").is_file():
            raise ConfigError(
                f"{weights} is not a run folder: it has no config.yaml; if it holds masks of "
                "another tool, add --like RUN for the structures, grid and folds to score them by"
            )
        experiment = load_run(weights)
        arms = [arm for arm in experiment.arms if not arm_named(arm).is_oracle]
        files = [
            (arm, weights / arm_named(arm).weights_of / fold / "weights.safetensors")
            for arm in arms
            for fold in finished_folds(weights, arms)
        ]
    else:
        experiment = _experiment_of(weights)
        files = [(experiment.name, weights)]
    experiment = with_data(experiment, data, cache, follow_links)
    if stress:
        experiment = with_stress(experiment)
    cohort = open_cohort(experiment, progress)
    scored_by = [one for one in cohort.recordings if one.scored]
    parts: list[Evaluation] = []
    done_of: dict[str, set[str]] = {}
    for arm, file in files:
        metadata = read_weights_metadata(file)
        done = done_of.setdefault(arm, set())
        seen = {r.subject for r in cohort.recordings if metadata.has_seen(r)}
        unseen = [r for r in scored_by if r.subject not in seen and r.key not in done]
        done.update(recording.key for recording in unseen)
        model = as_run(arm, load_weights(file)[0], experiment.controls)
        progress.step(f"{arm}, fold {metadata.fold}: scoring", len(unseen))
        predictor = TorchPredictor(model, metadata.input_size, arm, device=device_of(experiment))
        parts.append(
            evaluate(
                predictor,
                shown_recordings(unseen, experiment),
                experiment.evaluate,
                arm=arm,
                fold=metadata.fold,
                every_frame=not all(recording.is_still for recording in unseen),
                seed=experiment.seed,
                on_masks=_keep(out and out / arm),
                on_recording=progress.advance,
            )
        )
    evaluation = joined(parts)
    if evaluation.frames.empty:
        raise RecordingError(
            f"every subject in {data} was used to train {weights}; give data that it has not seen"
        )
    left_out = len(scored_by) - max(len(done) for done in done_of.values())
    scored = ScoredData(
        rules=experiment.evaluate,
        structures=experiment.structures.names,
        data=cohort.facts,
        notes=(
            *cohort.notes,
            *(
                [f"{left_out} recordings left out: these weights were trained on their subjects"]
                if left_out
                else []
            ),
        ),
    )
    table = run_table(
        evaluation.frames,
        experiment.evaluate,
        list(done_of),
        experiment.structures.names,
        title=f"{weights.name} on {data.name}",
        notes=scored.sentences,
    )
    found = DataScores(evaluation, scored, table)
    if out is not None:
        found.write(out)
        for arm, file in files:
            of_arm = evaluation.of_arm(arm)
            write_scores(out / arm, of_arm)
            scored.write(out / arm)
            _copy_facts(weights, arm, file, out / arm, set(of_arm.frames["fold"]))
    return found


def finished_folds(run: Path, arms: Sequence[str]) -> list[str]:
    """Return the folds of a run that all of some arms have finished: they share their recordings.

    Raises:
        ConfigError: there is none.
    """
    folds = [
        {path.parent.name for path in run.glob(f"{trained}/fold-*/weights.safetensors")}
        for trained in {arm_named(arm).weights_of for arm in arms}
    ]
    found = sorted(set.intersection(*folds)) if folds else []
    if not found:
        raise ConfigError(
            f"{run} holds no fold that all its arms have finished; continue with "
            "`sonotempo crossval`"
        )
    return found


def _copy_facts(weights: Path, arm: str, file: Path, folder: Path, folds: set[int]) -> None:
    """Keep how an arm was trained next to its scores, so that a comparison can name a cause.

    A weights file outside a run folder has no facts next to it: then nothing is known. Folds that
    scored no recording have no part in a comparison.
    """
    job = weights / arm / file.parent.name if weights.is_dir() else file.parent
    if (job / FACTS_FILE).is_file():
        facts = read_facts(job / FACTS_FILE)
        if facts.arm == arm and facts.fold in folds:
            facts.write(folder / FACTS_FILE.replace(".", f"-{facts.fold:02d}."))


def _keep(folder: Path | None) -> Callable[[DrawnMasks], object]:
    """Return what writes masks into an arm's folder, if there is one."""
    return (lambda masks: None) if folder is None else partial(write_masks, folder)


def _experiment_of(weights: Path) -> Experiment:
    """Return the settings that a weights file records as an experiment; the rest are defaults."""
    metadata = read_weights_metadata(weights)
    names: Sequence[str] | str = metadata.structures
    return Experiment(
        name=metadata.arm,
        data=DataConfig(
            structures=names if isinstance(names, str) else list(names),
            input_size=metadata.input_size,
            area=metadata.area,
        ),
        model=metadata.model,
    )


def with_stress(experiment: Experiment) -> Experiment:
    """Return the experiment with stress, as its own settings say or by default."""
    if experiment.evaluate.stress is not None:
        return experiment
    rules = experiment.evaluate.model_copy(update={"stress": StressConfig()})
    return experiment.model_copy(update={"evaluate": rules})


def with_data(
    experiment: Experiment, data: Path, cache: Path, follow_links: bool = False
) -> Experiment:
    """Return the experiment on other data, or on its own data exactly as it read them.

    Args:
        experiment: the run's settings.
        data: the folder of recordings.
        cache: folder for fitted frames.
        follow_links: whether links in other data may lead outside its folder.
    """
    root = experiment.data.root
    if root is not None and root.resolve() == data.resolve():
        settings = experiment.data.model_copy(update={"cache": cache})
        return experiment.model_copy(update={"data": settings})
    settings = experiment.data.model_copy(
        update={
            "root": data,
            "frames_root": None,
            "layout": "auto",
            "cache": cache,
            "follow_links": follow_links,
        }
    )
    return experiment.model_copy(update={"data": settings})
