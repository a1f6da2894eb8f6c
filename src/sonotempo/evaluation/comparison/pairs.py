"""What the difference of two arms is evidence of, and when that has to be refused.

- ``memory effect``: `sequence` against `frame_continued` (nothing added) or `frame_extra`
  (convolutions of as many parameters), only if what was added is all that differs: same start
  weights, steps, frozen parts, faults, labelled frames, rates and folds.
- ``recipe gain``: `sequence` against `frame`, which has less training and no faults; never memory.
- ``use of state at test time``: `sequence` against `sequence_reset`, of the same weights.
- ``carrying along motion``: `frame_flow` against `frame`, `frame_continued_flow` against
  `frame_continued`, of the same weights.
- ``training beyond motion``: `sequence_aligned` against predictions carried along the motion.
- ``smoothing``: `frame_ema` against `frame`, of the same weights.
- ``available gain``: the oracle with memory against the one without, on simulated data.
- ``another method``: against masks of another tool, of which nothing is known.
- ``other settings``: arms that no control was made for.
- ``unequal arms``: a pair of the above that differs in more than it may.

Source: Isensee et al. 2024 (nnU-Net Revisited, arXiv 2404.09556) on what must be kept equal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from sonotempo.evaluation.comparison.lineup import ComparedArm
from sonotempo.evaluation.comparison.record import Kind, Pair
from sonotempo.evaluation.scoring.provenance import ArmFacts, differences, differing

#: `frame_extra` counts as matched if its parameters differ by less than this share.
MATCHED_PARAMETERS = 0.1


_MEANINGS: dict[Kind, str] = {
    "memory effect": "The two differ in the memory alone: the difference is its effect.",
    "recipe gain": "The gain of the whole recipe (memory, more training, training faults): not of "
    "the memory alone.",
    "use of state at test time": "The same weights with and without a carried state: what the "
    "state adds at test time.",
    "smoothing": "The same weights with and without smoothing over time: no memory takes part.",
    "carrying along motion": "The same weights with and without predictions carried along the "
    "tissue's motion: what that adds, without any training.",
    "training beyond motion": "A trained memory against predictions that are only carried along "
    "the motion: what training it adds.",
    "available gain": "Oracles that know the truth of the simulation: what the best memory could "
    "win over the best single frame.",
    "another method": "Masks of another tool: how they were made, and whether it has seen these "
    "subjects, is unknown.",
    "other settings": "The two were made in different ways: the difference has no single cause.",
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """A pair that was made to show something: roles, and the one fact that may differ."""

    arm: str
    baseline: str
    kind: Kind
    fact: str = ""
    values: tuple[str, str] = ("", "")


_PLANS = (
    _Plan("sequence", "frame_continued", "memory effect", "added", ("memory", "none")),
    _Plan("sequence", "frame_extra", "memory effect", "added", ("memory", "control")),
    _Plan("sequence", "frame", "recipe gain"),
    _Plan("sequence", "sequence_reset", "use of state at test time", "inference"),
    _Plan("sequence_aligned", "frame_continued", "memory effect", "added", ("aligned", "none")),
    _Plan("sequence_aligned", "frame_extra", "memory effect", "added", ("aligned", "control")),
    _Plan("sequence_aligned", "frame_continued_flow", "training beyond motion"),
    _Plan("sequence_aligned", "frame_flow", "training beyond motion"),
    _Plan("frame_flow", "frame", "carrying along motion", "inference"),
    _Plan("frame_continued_flow", "frame_continued", "carrying along motion", "inference"),
    _Plan("frame_ema", "frame", "smoothing", "inference"),
    _Plan("oracle_memory", "oracle_frame", "available gain"),
)


def conclude(arms: Sequence[ComparedArm]) -> tuple[Pair, ...]:
    """Pair the arms whose difference means something; every arm but an oracle is in a pair.

    The differences are still to be computed.

    Args:
        arms: two or more, on the same labelled frames.
    """
    found = [*_planned(arms), *_same_role(arms), *_external(arms)]
    paired = {name for one in found for name in (one.arm, one.baseline)}
    own = [arm for arm in arms if not arm.external]
    for arm in own[1:]:
        if arm.name not in paired and not arm.role.startswith("oracle"):
            found.append(_pair(arm, own[0], "other settings", ()))
    return tuple(found)


def _planned(arms: Sequence[ComparedArm]) -> Iterator[Pair]:
    for plan in _PLANS:
        both = [
            (arm, baseline)
            for arm, baseline in product(arms, repeat=2)
            if (arm.role, baseline.role) == (plan.arm, plan.baseline)
        ]
        # Where several runs hold the roles, the controls of an arm are those of its run.
        together = [(arm, baseline) for arm, baseline in both if arm.group == baseline.group]
        for arm, baseline in together or both:
            yield _pair(arm, baseline, plan.kind, _refused(plan, arm, baseline))


def _same_role(arms: Sequence[ComparedArm]) -> Iterator[Pair]:
    """Yield arms of one name that were made with other settings, against the first of them."""
    for role in dict.fromkeys(arm.role for arm in arms if not arm.external):
        first, *others = [arm for arm in arms if arm.role == role]
        for other in others:
            yield _pair(other, first, "other settings", ())


def _external(arms: Sequence[ComparedArm]) -> Iterator[Pair]:
    """Yield the two models, or whatever there is, against each arm of another tool."""
    own = [arm for arm in arms if not arm.external]
    models = [arm for arm in own if arm.role in ("frame", "sequence")] or own
    others = [arm for arm in arms if arm.external]
    if not own:
        models, others = list(arms[1:]), list(arms[:1])
    for baseline, arm in product(others, models[::-1]):
        yield _pair(arm, baseline, "another method", ())


def _pair(arm: ComparedArm, baseline: ComparedArm, kind: Kind, refused: tuple[str, ...]) -> Pair:
    meaning = _MEANINGS[kind]
    if refused:
        meaning = (
            f"This pair is made to show the {kind}, but cannot: {'; '.join(refused)}. The "
            "difference has no single cause."
        )
    return Pair(
        arm=arm.name,
        baseline=baseline.name,
        kind="unequal arms" if refused else kind,
        meaning=meaning,
        differs_in=_differences(arm, baseline),
        refused=refused,
        differences=(),
    )


def _refused(plan: _Plan, arm: ComparedArm, baseline: ComparedArm) -> tuple[str, ...]:
    """Say why two arms cannot show what they were made for."""
    if not plan.fact:
        return ()
    lacking = _unknown(arm, baseline)
    if lacking:
        return lacking
    found: list[str] = []
    for a, b in _paired_facts(baseline, arm):
        if plan.fact == "added":
            found += _more_than_added(plan, a, b)
        else:
            found += _more_than_inference(a, b)
    return _once(found)


def _more_than_added(plan: _Plan, a: ArmFacts, b: ArmFacts) -> Iterator[str]:
    """Say in what a control ``a`` and an arm ``b`` differ besides what was added."""
    for name, phrase in zip(differing(a, b), differences(a, b), strict=True):
        if name != "added":
            yield phrase
    if (b.added, a.added) != plan.values:
        yield (
            f"added: {a.added} in {a.arm}, {b.added} in {b.arm}, expected {plan.values[1]} and "
            f"{plan.values[0]}"
        )
    if not a.start_sha256:
        yield f"the weights that {a.arm} started from are unknown"
    if a.added != "none" and abs(a.parameters - b.parameters) > MATCHED_PARAMETERS * b.parameters:
        yield f"parameters: {a.parameters} in {a.arm}, {b.parameters} in {b.arm}"


def _more_than_inference(a: ArmFacts, b: ArmFacts) -> Iterator[str]:
    """Say whether two arms are not one network run in two ways; weights tell all of training."""
    if a.weights_sha256 != b.weights_sha256 or not a.weights_sha256:
        yield (
            f"weights: {a.weights_sha256[:8] or 'unknown'} in {a.arm}, "
            f"{b.weights_sha256[:8] or 'unknown'} in {b.arm}"
        )
    if a.inference == b.inference:
        yield f"both are run in the same way ({a.inference})"


def _unknown(arm: ComparedArm, baseline: ComparedArm) -> tuple[str, ...]:
    """Say of which arms the facts are not known in every fold, or are of other seeds."""
    found = [
        f"the facts of {one.name} are not known in every fold (its weights were scored without "
        "their run folder)"
        for one in (arm, baseline)
        if _folds(one) != set(one.facts)
    ]
    if not found and set(arm.facts) != set(baseline.facts):
        found.append(f"seeds: {_seeds(baseline)} of {baseline.name}, {_seeds(arm)} of {arm.name}")
    return tuple(found)


def _differences(arm: ComparedArm, baseline: ComparedArm) -> tuple[str, ...]:
    """Return every known difference of two arms, a phrase each."""
    for one in (arm, baseline):
        if one.external:
            return (f"how {one.name} was made is unknown",)
    lacking = _unknown(arm, baseline)
    phrases = [text for a, b in _paired_facts(baseline, arm) for text in differences(a, b)]
    return (*lacking, *_once(phrases))


def _once(phrases: Sequence[str]) -> tuple[str, ...]:
    """Keep one phrase of each fact: hashes and steps differ from fold to fold."""
    by_fact: dict[str, list[str]] = {}
    for phrase in dict.fromkeys(phrases):
        by_fact.setdefault(phrase.partition(":")[0], []).append(phrase)
    return tuple(
        first if not others else f"{first} (other folds or seeds: {len(others)} other pairs)"
        for first, *others in by_fact.values()
    )


def _paired_facts(a: ComparedArm, b: ComparedArm) -> Iterator[tuple[ArmFacts, ArmFacts]]:
    """Yield both arms' facts of every seed and fold that they share, named as in tables."""
    for key in sorted(set(a.facts) & set(b.facts), key=str):
        yield replace(a.facts[key], arm=a.name), replace(b.facts[key], arm=b.name)


def _folds(arm: ComparedArm) -> set[tuple[int | None, int]]:
    return {
        (one.seed, int(fold)) for one in arm.seeds for fold in one.scores.frames["fold"].unique()
    }


def _seeds(arm: ComparedArm) -> str:
    return ", ".join(str(one.seed) for one in arm.seeds)
