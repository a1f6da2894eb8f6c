"""Masks of another tool scored as an arm, on the grid, frames and folds of a run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sonotempo.config import Experiment
from sonotempo.config_file import load_experiment, load_run
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import load_folds
from sonotempo.evaluation.report.tables import run_table
from sonotempo.evaluation.scoring.external_masks import ExternalMasks, find_masks, require_complete
from sonotempo.evaluation.scoring.files import Evaluation
from sonotempo.evaluation.scoring.frames import frame_table
from sonotempo.evaluation.scoring.mask_files import write_masks
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, ArmFacts
from sonotempo.evaluation.scoring.recordings import drawn_masks, score_recording
from sonotempo.evaluation.scoring.scored_data import ScoredData
from sonotempo.evaluation.scoring.temporal_table import temporal_table
from sonotempo.preprocess import area_from, fit_frame
from sonotempo.recording import Image, Recording
from sonotempo.study.other_data import DataScores, with_data
from sonotempo.training.cohort import open_cohort, open_experiment_data
from sonotempo.training.job import shown_recordings
from sonotempo.training.progress import RunProgress


def evaluate_masks(
    masks: Path,
    data: Path,
    like: Path,
    cache: Path,
    progress: RunProgress,
    *,
    arm: str | None = None,
    out: Path | None = None,
    follow_links: bool = False,
) -> DataScores:
    """Score a folder of masks, laid out as in :mod:`sonotempo.evaluation.scoring.external_masks`.

    Masks pass through the same fit to the network grid as references do. With ``out``, scores,
    fitted masks and facts are written there, and a comparison reads that folder as an arm.

    Args:
        masks: the folder of masks, with the layout of ``data``.
        data: recordings with references.
        like: the run folder, or the config file, whose structures, grid, rules and folds hold.
        cache: folder for fitted frames.
        progress: advanced after every recording.
        arm: what the masks are called in tables; by default the folder's name.
        out: where to write.
        follow_links: whether links in the data may lead outside its folder.

    Raises:
        ConfigError: ``like`` is neither a run folder nor a config file.
        RecordingError: masks are missing or cannot be used; all of them are named and counted.
    """
    settings = load_run(like) if like.is_dir() else load_experiment(like)
    experiment = with_data(settings, data, cache, follow_links)
    name = arm or masks.resolve().name
    cohort = open_cohort(experiment, progress)
    originals = {one.name: one for one in open_experiment_data(experiment).recordings}
    scored_by = [one for one in cohort.recordings if one.scored]
    found = find_masks(masks, [_scored_part(originals[one.name], one) for one in scored_by])
    progress.step(f"{name}: reading masks", 1)
    require_complete(masks, found.recordings)
    progress.step(f"{name}: scoring", len(scored_by))
    folds = _test_folds(like)
    frames, temporal = [], []
    for shown, cached, drawn in zip(
        shown_recordings(scored_by, experiment),
        scored_by,
        found.recordings,
        strict=True,
    ):
        fitted = _fitted(drawn, shown, cached, experiment)
        scores = score_recording(
            shown, fitted, experiment.evaluate, arm=name, fold=folds.get(cached.subject, 0)
        )
        frames += scores.frames
        temporal += scores.temporal
        if out is not None:
            write_masks(out, drawn_masks(shown, fitted))
        progress.advance()
    evaluation = Evaluation(frame_table(frames), temporal_table(temporal))
    scored = ScoredData(
        rules=experiment.evaluate,
        structures=experiment.structures.names,
        data=cohort.facts,
        notes=(*cohort.notes, *_notes(name, masks, found.unused)),
    )
    table = run_table(
        evaluation.frames,
        experiment.evaluate,
        [name],
        experiment.structures.names,
        title=f"{name} on {data.name}",
        notes=scored.sentences,
    )
    result = DataScores(evaluation, scored, table)
    if out is not None:
        result.write(out)
        ArmFacts(arm=name, fold=0, external=True).write(out / FACTS_FILE)
    return result


def _notes(name: str, masks: Path, unused: Sequence[Path]) -> tuple[str, ...]:
    notes = [f"{name}: masks of another tool, from {masks.name}"]
    if unused:
        notes.append(
            f"{len(unused)} files in {masks.name} belong to no labelled recording, "
            f"{unused[0].relative_to(masks)} for one"
        )
    return tuple(notes)


def _scored_part(original: Recording, cached: CachedRecording) -> Recording:
    """Return a recording whose labelled frames are those with a usable reference."""
    readers = {index: original.mask_readers[index] for index in cached.scored}
    return replace(original, mask_readers=readers)


def _fitted(
    drawn: ExternalMasks, shown: Recording, cached: CachedRecording, experiment: Experiment
) -> dict[int, Image]:
    """Return the masks on the network grid, by the index of the frame that is shown."""
    # A still is shown at the end of a clip; elsewhere frames are where they were.
    place = dict(zip(cached.scored, shown.labelled, strict=True))
    if not cached.is_still:
        place = {index: index for index in drawn.files}
    fitted = {}
    for index, at in place.items():
        frame = drawn.recording[index]
        fit = fit_frame(frame, experiment.data.input_size, area_from(experiment.data.area))
        fitted[at] = fit.mask(drawn.read(index))
    return fitted


def _test_folds(like: Path) -> dict[str, int]:
    """Return the fold whose test subject each subject is; without folds, none."""
    path = like / "folds.json"
    if not path.is_file():
        return {}
    return {subject: fold.number for fold in load_folds(path) for subject in fold.test}
