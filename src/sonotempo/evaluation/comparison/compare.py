"""From run folders to a comparison: read, line up, add up, draw subjects, conclude, word it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.answer import answer
from sonotempo.evaluation.comparison.calibration import calibration_cells
from sonotempo.evaluation.comparison.cells import (
    paper_cells,
    seed_spreads,
    temporal_cells,
)
from sonotempo.evaluation.comparison.differences import differences_of
from sonotempo.evaluation.comparison.drift import drifts
from sonotempo.evaluation.comparison.gains import gain_shares
from sonotempo.evaluation.comparison.human import human_references
from sonotempo.evaluation.comparison.lineup import ComparedArm, LineUp, line_up
from sonotempo.evaluation.comparison.notes import left_out, notes_of
from sonotempo.evaluation.comparison.pairs import conclude
from sonotempo.evaluation.comparison.record import (
    Arm,
    Cell,
    Comparison,
    Drift,
    Latency,
    RunSource,
    Settings,
)
from sonotempo.evaluation.comparison.rounding import rounded
from sonotempo.evaluation.comparison.runs import RunScores, read_run
from sonotempo.evaluation.comparison.sentences import summarise
from sonotempo.evaluation.comparison.state_age import state_ages
from sonotempo.evaluation.comparison.statistics import (
    ALPHA,
    CONFIDENCE,
    SubjectScores,
    draw_subjects,
    subject_scores,
)
from sonotempo.evaluation.comparison.stress import stress_cells
from sonotempo.evaluation.scoring.frames import per_subject
from sonotempo.evaluation.scoring.provenance import ArmFacts, fact_texts
from sonotempo.evaluation.scoring.scored_data import facts_of_all
from sonotempo.measures import COMPARED, Measure


def compare(
    runs: Sequence[Path],
    *,
    seed: int = 0,
    agreement: Path | None = None,
    on_run: Callable[[], None] = lambda: None,
    on_pairs: Callable[[int], None] = lambda count: None,
    on_pair: Callable[[], None] = lambda: None,
) -> Comparison:
    """Compare the arms of one or more runs.

    The same folders and seed give the same record.

    Args:
        runs: run folders of `sonotempo crossval`, or arms that `sonotempo evaluate` has scored.
        seed: of the bootstrap.
        agreement: what ``sonotempo data agreement --out`` wrote: its Dice between readers takes the
            place of the literature's.
        on_run: called after each run that was read, for progress.
        on_pairs: called with the number of pairs, before the first.
        on_pair: called after each pair.

    Raises:
        ConfigError: a folder is not a run or is unfinished, or its arms cannot be compared; the
            message lists how they differ.
    """
    if len({path.resolve() for path in runs}) < len(runs):
        raise ConfigError("a run is given twice; name each run once")
    read = []
    for path in runs:
        read.append(read_run(path))
        on_run()
    lined = line_up(read)
    human = human_references(lined.structures, agreement)
    shape = (lined.subjects, lined.structures)
    overlap = lined.config.overlap
    frames = {arm.name: [one.scores.frames for one in arm.seeds] for arm in lined.arms}
    tables = {name: [per_subject(one, overlap) for one in of] for name, of in frames.items()}
    scores = {name: subject_scores(of, *shape) for name, of in tables.items()}
    by_seed = {name: [subject_scores([t], *shape) for t in of] for name, of in tables.items()}
    settings = _settings(lined.config, seed, scores)
    measures = settings.measures
    arms = tuple(_arm(arm) for arm in lined.arms)
    times_DS = draw_subjects(len(lined.subjects), settings.bootstrap_draws, seed)
    pairs = []
    found = conclude(lined.arms)
    on_pairs(len(found))
    for one in found:
        both = (scores[one.arm], scores[one.baseline])
        pairs.append(replace(one, differences=differences_of(*both, settings, times_DS)))
        on_pair()
    labelled = lined.labelled
    stress, stress_differences = stress_cells(
        lined.arms,
        lined.subjects,
        overlap=overlap,
        back_within=lined.config.stress.back_within if lined.config.stress else 0.0,
        times_DS=times_DS,
        pairs=pairs,
    )
    recordings = len(labelled[["subject", "recording"]].drop_duplicates())
    notes = notes_of(read, lined, pairs, settings)
    data = facts_of_all(run.scored.data for run in read)
    return Comparison(
        title=_title(read, lined),
        answer=answer(pairs, settings, subjects=len(lined.subjects), simulated=data.simulated),
        summary=summarise(
            arms,
            pairs,
            settings,
            subjects=len(lined.subjects),
            recordings=recordings,
            frames=len(labelled),
            simulated=data.simulated,
        ),
        notes=notes,
        data=data,
        settings=settings,
        runs=tuple(_source(run) for run in read),
        arms=arms,
        structures=lined.structures,
        left_out=tuple(left_out(name, by_arm) for name, by_arm in lined.absent.items()),
        subjects=lined.subjects,
        recordings=recordings,
        labelled_frames=len(labelled),
        cells=paper_cells(frames, scores, lined.structures, measures, overlap),
        streaming=_streaming(lined, measures),
        pairs=tuple(pairs),
        seed_spread=seed_spreads(lined.arms, by_seed, lined.structures, measures),
        temporal=temporal_cells(lined.arms, lined.structures),
        state_age=state_ages(lined.arms, lined.structures, overlap),
        gain_shares=gain_shares(pairs, scores, settings, times_DS),
        drifts=_drifts(lined),
        stress=stress,
        stress_differences=stress_differences,
        calibration=calibration_cells(lined.arms, lined.structures, lined.subjects, times_DS),
        latencies=_latencies(read),
        human=human,
    )


def _settings(config: EvaluateConfig, seed: int, scores: Mapping[str, SubjectScores]) -> Settings:
    """Return how to compare; measures without any value, such as NSD without spacing, are left out.

    Primary ones stay, so that the report shows that they have no value.
    """
    return Settings(
        overlap=config.overlap,
        overlap_threshold=config.overlap_threshold,
        ignored_radius_px=config.ignored_radius_px,
        measures=tuple(
            replace(one, margin=config.equivalence_margins.get(one.name, one.margin))
            for one in COMPARED
            if one.name in config.primary_metrics
            or any(not np.isnan(of_arm.values_SK(one.name)).all() for of_arm in scores.values())
        ),
        primary_metrics=tuple(config.primary_metrics),
        bootstrap_draws=config.bootstrap_draws,
        seed=seed,
        confidence=CONFIDENCE,
        alpha=ALPHA,
    )


def _streaming(lined: LineUp, measures: Sequence[Measure]) -> tuple[Cell, ...]:
    """Return the paper's table of what was on screen, for the arms that were streamed."""
    frames: dict[str, list[pd.DataFrame]] = {}
    for arm in lined.arms:
        streamed = [one.scores.streaming for one in arm.seeds if one.scores.streaming is not None]
        if len(streamed) == len(arm.seeds):
            frames[arm.name] = streamed
    overlap = lined.config.overlap
    scores = {
        name: subject_scores(
            [per_subject(one, overlap) for one in of], lined.subjects, lined.structures
        )
        for name, of in frames.items()
    }
    return paper_cells(frames, scores, lined.structures, measures, overlap)


def _arm(arm: ComparedArm) -> Arm:
    facts = list(arm.facts.values())
    return Arm(
        name=arm.name,
        role=arm.role,
        runs=tuple(one.run.name for one in arm.seeds),
        seeds=tuple(one.seed for one in arm.seeds if one.seed is not None),
        folds=int(arm.seeds[0].scores.frames["fold"].nunique()),
        external=arm.external,
        parameters=facts[0].parameters if facts and not arm.external else None,
        facts={} if arm.external else _shared(facts),
    )


def _shared(facts: Sequence[ArmFacts]) -> dict[str, str]:
    """Return the facts that are the same in every fold and seed."""
    texts = [fact_texts(one) for one in facts]
    return {
        name: text
        for name, text in (texts[0] if texts else {}).items()
        if all(other[name] == text for other in texts)
    }


def _source(run: RunScores) -> RunSource:
    if run.experiment is None:
        return RunSource(run.name, "", None, "")
    return RunSource(run.name, run.experiment.name, run.experiment.seed, run.experiment.note)


def _title(read: Sequence[RunScores], lined: LineUp) -> str:
    known = [run.experiment for run in read if run.experiment is not None]
    names = list(dict.fromkeys(experiment.name for experiment in known)) or [
        run.name for run in read
    ]
    kind = f": {known[0].structures.name}" if known else ""
    return f"{' and '.join(names)}{kind}"


def _drifts(lined: LineUp) -> tuple[Drift, ...]:
    """Return where a carried state does harm, of every run with the same weights reset."""
    found: list[Drift] = []
    for arm in lined.arms:
        if arm.role != "sequence":
            continue
        others = [one for one in lined.arms if one.role == "sequence_reset"]
        for reset in (one for one in others if one.group == arm.group):
            both = [pd.concat([one.scores.frames for one in of.seeds]) for of in (arm, reset)]
            if len(arm.seeds) > 1:
                keys = ["structure", "subject", "recording", "frame"]
                both = [one.groupby(keys, as_index=False).mean(numeric_only=True) for one in both]
            found += drifts(arm.name, both[0], both[1], lined.structures)
    return tuple(found)


def _latencies(read: Sequence[RunScores]) -> tuple[Latency, ...]:
    """Return the latencies that arms were scored with as streamed."""
    found = []
    for run in read:
        given = run.experiment.evaluate.streaming_latency_ms if run.experiment else None
        if given is None:
            continue
        by_arm = given if isinstance(given, dict) else {"all arms": given}
        for arm, samples in by_arm.items():
            listed = samples if isinstance(samples, tuple) else (samples,)
            kind = "measured" if len(listed) > 1 else "stated"
            shown = tuple(sorted(rounded(sample) or 0.0 for sample in listed))
            latency = Latency(arm, f"{kind}: evaluate.streaming_latency_ms of {run.name}", shown)
            if latency not in found:
                found.append(latency)
    return tuple(found)
