"""The sentences that head every table of a comparison."""

from collections.abc import Mapping, Sequence

from sonotempo.evaluation.comparison.lineup import LineUp
from sonotempo.evaluation.comparison.record import LeftOut, Pair, Settings
from sonotempo.evaluation.comparison.rounding import number, rounded
from sonotempo.evaluation.comparison.runs import RunScores
from sonotempo.evaluation.comparison.statistics import SMALLEST_JUDGED
from sonotempo.evaluation.scoring.scored_data import facts_of_all
from sonotempo.measures import COMPARED

# With fewer subjects, percentile intervals are known to be too narrow.
_FEW_SUBJECTS = 20


def notes_of(
    read: Sequence[RunScores],
    lined: LineUp,
    pairs: Sequence[Pair],
    settings: Settings,
) -> tuple[str, ...]:
    """Return the sentences that head every table: what the data are, then what they can show.

    Args:
        read: the runs, with what each one's scores were made from.
        lined: their arms.
        pairs: what was compared.
        settings: how, and which measures have a value.
    """
    notes = [
        *facts_of_all(run.scored.data for run in read).sentences(),
        *(sentence for run in read for sentence in run.scored.sentences),
        *_on_numbers(lined, pairs, settings),
    ]
    known = {one.name for one in settings.measures}
    notes += [
        f"{one.title} is not available: {one.undefined} in every frame"
        for one in COMPARED
        if one.name not in known
    ]
    for name, by_arm in lined.absent.items():
        notes.append(left_out(name, by_arm).reason)
    seeds = {tuple(one.seed for one in arm.seeds) for arm in lined.arms if not arm.external}
    if len(seeds) > 1:
        notes.append("the arms were not trained with the same seeds: see each arm's")
    return tuple(dict.fromkeys(notes))


def _on_numbers(lined: LineUp, pairs: Sequence[Pair], settings: Settings) -> list[str]:
    """Say what so many subjects can and cannot show."""
    subjects = len(lined.subjects)
    if subjects == 1:
        return [
            "one subject: values are shown, but no interval, test or conclusion; score more "
            "subjects to compare arms"
        ]
    notes = []
    if subjects < _FEW_SUBJECTS:
        notes.append(
            f"{subjects} subjects: bootstrap intervals of so few are too narrow; read them as a "
            "lower bound of the uncertainty"
        )
    tests = max(sum(one.p is not None for one in pair.differences) for pair in pairs)
    smallest = min(1.0, 2.0 ** (1 - subjects) * tests)
    if smallest >= settings.alpha:
        notes.append(
            f"with {subjects} subjects and {tests} tests the smallest p (Holm) that can come out "
            f"is {number(rounded(smallest))}: no arm can be shown to be better here"
        )
    if subjects < SMALLEST_JUDGED:
        notes.append(
            f"fewer than {SMALLEST_JUDGED} subjects: differences are described, not judged"
        )
    return notes


def left_out(structure: str, predicted: Mapping[str, int]) -> LeftOut:
    """Say that a structure has no reference, and which arms predicted it all the same.

    Args:
        structure: by name.
        predicted: in how many frames, by arm.
    """
    falsely = [f"{arm} predicts it in {count} frames" for arm, count in predicted.items() if count]
    said = f" ({', '.join(falsely)}, all of them false)" if falsely else ""
    return LeftOut(
        structure, f"{structure} is left out: no labelled frame of the reference shows it{said}"
    )
