"""Whole comparisons of made-up runs: what may be concluded, what is refused, what is said."""

import json

import pandas as pd
import pytest

from fakes.comparisons import SIMULATED, write_external, write_run
from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.scoring.frames import per_subject, pooled
from sonotempo.evaluation.scoring.scored_data import DataFacts
from sonotempo.measures import COMPARED, measure

SMALL = EvaluateConfig(bootstrap_draws=200)


def run_of(folder, **changes):
    """A small run with two structures."""
    settings = {"subjects": 8, "frames": 6, "structures": "nerve+vessel", "evaluate": SMALL}
    return write_run(folder, **settings | changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("compare") / "run")


@pytest.fixture(scope="module")
def comparison(run):
    return compare([run])


def pair_of(comparison, arm, baseline):
    return next(one for one in comparison.pairs if (one.arm, one.baseline) == (arm, baseline))


def test_each_pair_is_called_what_it_is_evidence_of(comparison):
    kinds = {(pair.arm, pair.baseline): pair.kind for pair in comparison.pairs}
    assert kinds == {
        ("sequence", "frame_continued"): "memory effect",
        ("sequence", "frame_extra"): "memory effect",
        ("sequence", "frame"): "recipe gain",
        ("sequence", "sequence_reset"): "use of state at test time",
        ("frame_ema", "frame"): "smoothing",
    }
    recipe = pair_of(comparison, "sequence", "frame")
    assert "epochs: 36 in frame, 14 in sequence" in recipe.differs_in
    assert "not of the memory" in recipe.meaning


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": 28}, "epochs: 28 in frame_continued, 14 in sequence"),
        ({"faults": {}}, "faults: none in frame_continued"),
        ({"frozen": ()}, "frozen: no names in frame_continued"),
        ({"start_sha256": "f" * 64}, "start sha256: ffffffff in frame_continued"),
        ({"labelled_frames": 100}, "labelled frames: 100 in frame_continued"),
        ({"added": "control", "added_learning_rate": 5e-3}, "expected none and memory"),
    ],
)
def test_a_memory_effect_is_refused_when_anything_else_differs(tmp_path, change, said):
    arms = ("frame", "frame_continued", "sequence")
    run = run_of(tmp_path / "run", arms=arms, facts={"frame_continued": change})
    pair = pair_of(compare([run]), "sequence", "frame_continued")
    assert pair.kind == "unequal arms"
    assert any(said in reason for reason in pair.refused)
    assert "memory effect, but cannot" in pair.meaning
    assert said in pair.meaning


def test_a_memory_effect_is_refused_without_facts_or_with_other_numbers_of_parameters(tmp_path):
    arms = ("frame", "frame_extra", "sequence")
    unknown = run_of(tmp_path / "unknown", arms=arms, facts={"sequence": None})
    pair = pair_of(compare([unknown]), "sequence", "frame_extra")
    assert pair.kind == "unequal arms"
    assert "the facts of sequence are not known in every fold" in pair.refused[0]
    small = run_of(tmp_path / "small", arms=arms, facts={"frame_extra": {"parameters": 2_000_000}})
    pair = pair_of(compare([small]), "sequence", "frame_extra")
    assert pair.refused == ("parameters: 2000000 in frame_extra, 2530000 in sequence",)


def test_use_of_state_needs_the_same_weights(tmp_path):
    arms = ("frame", "sequence_reset", "sequence")
    change = {"sequence_reset": {"weights_sha256": "e" * 64}}
    found = compare([run_of(tmp_path / "run", arms=arms, facts=change)])
    pair = pair_of(found, "sequence", "sequence_reset")
    assert pair.kind == "unequal arms"
    assert pair.refused[0].startswith("weights: eeeeeeee in sequence_reset")


def test_the_table_is_the_runs_own_and_differences_are_of_its_numbers(run, comparison):
    frames = pd.concat([pd.read_parquet(path) for path in run.glob("*/fold-*/frames.parquet")])
    subjects = per_subject(frames).drop(columns="subject").groupby(["structure", "arm"])
    over_frames = pooled(frames).set_index(["structure", "arm"])
    mean, sd, n = (subjects.agg(way) for way in ("mean", "std", "count"))
    assert len(comparison.cells) == 2 * 6 * len(COMPARED)
    for cell in comparison.cells:
        at = (cell.structure, cell.arm), cell.metric
        half = 0.51 * 10 ** -measure(cell.metric).decimals
        assert cell.mean == pytest.approx(mean.loc[at], abs=half)
        assert cell.sd == pytest.approx(sd.loc[at], abs=half)
        assert cell.pooled == pytest.approx(over_frames.loc[at], abs=half)
        assert cell.n == n.loc[at]
    for pair in comparison.pairs:
        for one in pair.differences:
            half = 0.51 * 10 ** -measure(one.metric).decimals
            table = over_frames if one.metric in ("precision", "recall", "f1") else mean
            ours, theirs = (
                table.loc[(one.structure, arm), one.metric] for arm in (pair.arm, pair.baseline)
            )
            assert one.estimate == pytest.approx(ours - theirs, abs=half)
            assert one.ci_low <= one.estimate <= one.ci_high


def test_only_primary_metrics_are_tested_and_show_every_subject(comparison):
    for pair in comparison.pairs:
        tested = {one.metric for one in pair.differences if one.p is not None}
        assert tested == {"f1", "dice"} == {one.metric for one in pair.differences if one.primary}
        for one in pair.differences:
            assert len(one.subjects) == (8 if one.primary else 0)
            assert one.p_holm is None or one.p_holm >= one.p


def test_the_same_runs_and_seed_give_the_same_record_and_another_seed_other_draws(run, comparison):
    assert compare([run]) == comparison
    other = compare([run], seed=1)
    assert other.pairs != comparison.pairs
    assert other.cells == comparison.cells


def test_simulated_subjects_and_what_so_few_can_show_are_said(comparison):
    assert comparison.data.simulated
    assert comparison.notes[0] == SIMULATED
    assert "8 simulated subjects" in comparison.summary[0]
    assert any(note.startswith("8 subjects: bootstrap intervals") for note in comparison.notes)


def test_facts_and_notes_of_the_run_travel_along(tmp_path):
    data = DataFacts(fold_unit="image", stills_in_motion=True)
    # A note may use any words: facts are read from their fields.
    notes = ["compared with simulated subjects elsewhere"]
    arms = ("frame", "sequence")
    found = compare([run_of(tmp_path / "run", arms=arms, data=data, notes=notes)])
    assert found.data == data
    assert found.notes[:3] == (*data.sentences(), *notes)
    assert "simulated" not in found.summary[0]


def test_one_subject_is_described_without_interval_test_or_nan(tmp_path):
    run = run_of(tmp_path / "run", arms=("frame", "sequence"), subjects=1, folds=1)
    found = compare([run])
    assert any(note.startswith("one subject: values are shown") for note in found.notes)
    for one in found.pairs[0].differences:
        assert (one.ci_low, one.p, one.p_holm, one.verdict) == (None, None, None, "not judged")
        assert "one subject" in one.reason
        assert one.estimate is not None
    assert all(cell.sd is None and "no standard deviation" in cell.reason for cell in found.cells)


def test_few_subjects_are_not_judged_and_hopeless_tests_are_announced(tmp_path):
    found = compare([run_of(tmp_path / "run", arms=("frame", "sequence"), subjects=4)])
    assert {one.verdict for one in found.pairs[0].differences} == {"not judged"}
    assert any("no arm can be shown to be better here" in note for note in found.notes)
    assert any("fewer than 6 subjects" in note for note in found.notes)


def test_a_structure_without_reference_is_left_out_with_a_note(tmp_path):
    found = compare([run_of(tmp_path / "run", arms=("frame", "sequence"), absent=("nerve",))])
    assert found.structures == ("vessel",)
    assert [one.structure for one in found.left_out] == ["nerve"]
    assert found.left_out[0].reason.startswith("nerve is left out: no labelled frame")
    assert found.left_out[0].reason in found.notes
    assert {cell.structure for cell in found.cells} == {"vessel"}


def test_sparse_labels_make_temporal_metrics_unavailable_not_zero(tmp_path, comparison):
    found = compare([run_of(tmp_path / "run", arms=("frame", "sequence"), dense=False)])
    assert found.temporal
    for cell in found.temporal:
        assert cell.mean is None
        assert cell.reason == "not available: sparse labels"
    assert all(cell.mean is not None and not cell.reason for cell in comparison.temporal)


def test_every_missing_value_has_a_reason(tmp_path):
    # One frame a subject: structures are absent and unpredicted in many.
    found = compare([run_of(tmp_path / "run", arms=("frame", "sequence"), frames=1, subjects=9)])
    for cell in (*found.cells, *found.temporal):
        if cell.mean is None or cell.sd is None or cell.n < 9:
            assert cell.reason
    for one in found.pairs[0].differences:
        if None in (one.estimate, one.ci_low) or (one.primary and one.p is None):
            assert one.reason
        for subject in one.subjects:
            assert (subject.difference is None) == bool(subject.reason)


def test_seeds_are_averaged_per_subject_and_their_spread_is_shown(tmp_path):
    runs = [run_of(tmp_path / f"seed-{s}", arms=("frame", "sequence"), seed=s) for s in (0, 1, 2)]
    found = compare(runs)
    assert [arm.seeds for arm in found.arms] == [(0, 1, 2)] * 2
    assert "3 seeds" in found.summary[0]
    spread = next(one for one in found.seed_spread if one.metric == "dice")
    assert len(set(spread.means)) == 3
    assert spread.sd > 0
    cell = found.cell(spread.structure, spread.arm, "dice")
    assert cell.mean == pytest.approx(sum(spread.means) / 3, abs=1.5e-3)
    assert cell.n == 8
    with pytest.raises(ConfigError, match="arm 'frame' with seed 1 is in seed-1 and in again"):
        compare([*runs, run_of(tmp_path / "again", arms=("frame",), seed=1)])


def test_arms_with_other_seeds_are_no_memory_effect(tmp_path):
    runs = [
        run_of(tmp_path / "a", arms=("frame", "frame_continued", "sequence"), seed=0),
        run_of(tmp_path / "b", arms=("frame", "sequence"), seed=1),
    ]
    found = compare(runs)
    pair = pair_of(found, "sequence", "frame_continued")
    assert pair.refused == ("seeds: 0 of frame_continued, 0, 1 of sequence",)
    assert any("not trained with the same seeds" in note for note in found.notes)


def with_other_settings(run):
    """Change a setting that makes other arms."""
    config = run / "config.yaml"
    config.write_text(
        config.read_text().replace("backpropagation_frames: 8", "backpropagation_frames: 4")
    )
    return run


def test_the_same_arm_with_other_settings_is_another_arm(tmp_path):
    arms = ("frame", "sequence")
    second = run_of(tmp_path / "b", arms=arms, facts={"sequence": {"epochs": 28}})
    found = compare([run_of(tmp_path / "a", arms=arms), with_other_settings(second)])
    assert [arm.name for arm in found.arms] == [
        "frame [a]",
        "frame [b]",
        "sequence [a]",
        "sequence [b]",
    ]
    kinds = {(pair.arm, pair.baseline): pair.kind for pair in found.pairs}
    assert kinds == {
        ("sequence [a]", "frame [a]"): "recipe gain",
        ("sequence [b]", "frame [b]"): "recipe gain",
        ("frame [b]", "frame [a]"): "other settings",
        ("sequence [b]", "sequence [a]"): "other settings",
    }
    pair = pair_of(found, "sequence [b]", "sequence [a]")
    assert pair.differs_in == ("epochs: 14 in sequence [a], 28 in sequence [b]",)


def test_masks_of_another_tool_are_another_method(run, tmp_path):
    found = compare([run, write_external(tmp_path / "nnunet", run)])
    arm = found.arms[-1]
    assert (arm.name, arm.external, arm.parameters, arm.facts) == ("nnunet", True, None, {})
    pair = pair_of(found, "sequence", "nnunet")
    assert pair.kind == "another method"
    assert pair.differs_in == ("how nnunet was made is unknown",)
    assert pair_of(found, "frame", "nnunet").kind == "another method"
    assert all(cell.mean is not None for cell in found.temporal if cell.arm == "nnunet")


def test_masks_that_were_scored_by_other_rules_are_refused(run, tmp_path):
    other = run_of(tmp_path / "other", evaluate=EvaluateConfig(overlap_threshold=0.5))
    masks = write_external(tmp_path / "nnunet", other)
    with pytest.raises(ConfigError, match=r"overlap_threshold: 0\.25 in run, 0\.5 in nnunet"):
        compare([run, masks])
    with pytest.raises(ConfigError, match=r"overlap_threshold: 0\.5 in nnunet, 0\.25 in run"):
        compare([masks, run])


def test_arms_on_other_folds_are_refused_with_what_differs(tmp_path):
    first = run_of(tmp_path / "a", arms=("frame",))
    second = with_other_settings(run_of(tmp_path / "b", arms=("frame",)))
    folds = json.loads((second / "folds.json").read_text())
    folds[0]["train"], folds[0]["validation"] = folds[0]["train"][1:], folds[0]["train"][:1]
    (second / "folds.json").write_text(json.dumps(folds))
    with pytest.raises(ConfigError, match=r"frame of a and frame of b are on different folds"):
        compare([first, second])


def test_arms_on_other_labelled_frames_or_references_are_refused(tmp_path):
    run = run_of(tmp_path / "run", arms=("frame", "sequence"))
    path = run / "sequence" / "fold-00" / "frames.parquet"
    frames = pd.read_parquet(path)
    frames[frames["frame"] > 0].to_parquet(path)
    with pytest.raises(ConfigError, match=r"labelled frames \(4 only in frame of run, such as"):
        compare([run])
    other = frames["reference_px"].where(frames["reference_px"] == 0, 7)
    count = int((other > 0).sum())
    frames.assign(reference_px=other).to_parquet(path)
    with pytest.raises(ConfigError, match=f"against different references in {count} places"):
        compare([run])


def test_scores_that_are_not_numbers_are_refused(tmp_path):
    run = run_of(tmp_path / "run", arms=("frame", "sequence"))
    path = run / "sequence" / "fold-00" / "frames.parquet"
    frames = pd.read_parquet(path)
    frames.assign(dice=float("nan")).to_parquet(path)
    with pytest.raises(ConfigError, match=r"scores are not numbers.*output was not finite"):
        compare([run])


def test_folders_that_cannot_be_compared_are_named(tmp_path, run):
    with pytest.raises(ConfigError, match="is neither a run folder"):
        compare([tmp_path])
    with pytest.raises(ConfigError, match="given twice"):
        compare([run, run])
    with pytest.raises(ConfigError, match="nothing to compare 'frame' with"):
        compare([run_of(tmp_path / "one", arms=("frame",))])
    half = run_of(tmp_path / "half", arms=("frame", "sequence"))
    (half / "sequence" / "fold-01" / "frames.parquet").unlink()
    with pytest.raises(ConfigError, match="sequence has none of fold 1; finish it with"):
        compare([half])
    other = run_of(tmp_path / "other", evaluate=replace_config(overlap_threshold=0.5))
    with pytest.raises(ConfigError, match=r"overlap_threshold: 0\.25 in run, 0\.5 in other"):
        compare([run, other])


def replace_config(**changes):
    return EvaluateConfig(**SMALL.model_dump() | changes)


def test_human_agreement_is_marked_as_from_the_literature(comparison):
    lines = {one.structure: (one.tissue, one.dice) for one in comparison.human}
    assert lines == {"nerve": ("nerve", 0.48), "vessel": ("artery", 0.88)}
    assert all("from the literature" in one.source for one in comparison.human)


def test_latencies_of_the_config_are_shown(tmp_path):
    measured = replace_config(streaming_latency_ms={"sequence": (30.0, 20.5)})
    found = compare([run_of(tmp_path / "run", arms=("frame", "sequence"), evaluate=measured)])
    (latency,) = found.latencies
    assert (latency.arm, latency.samples_ms) == ("sequence", (20.5, 30.0))
    assert latency.source.startswith("measured")


def test_what_was_on_screen_has_a_table_of_its_own(tmp_path):
    run = run_of(tmp_path / "run", arms=("frame", "sequence"))
    for job in run.glob("sequence/fold-*"):
        frames = pd.read_parquet(job / "frames.parquet")
        frames.assign(shown_frame=0, shown_age_ms=50.0).to_parquet(job / "streaming.parquet")
    found = compare([run])
    assert found.streaming == tuple(cell for cell in found.cells if cell.arm == "sequence")


def test_a_margin_of_the_config_replaces_the_metrics_own(tmp_path):
    wide = replace_config(equivalence_margins={"dice": 0.9})
    found = compare([run_of(tmp_path / "run", arms=("frame", "sequence"), evaluate=wide)])
    assert [found.settings.measure(name).margin for name in ("f1", "dice")] == [0.02, 0.9]
    verdicts = {one.metric: one.verdict for one in found.pairs[0].differences if one.primary}
    assert verdicts["dice"] == "equivalent"
    (sentence,) = {
        one.sentence[:23] for one in found.pairs[0].differences if one.verdict == "equivalent"
    }
    assert sentence == "equivalent within 0.900"


def test_a_distance_as_primary_metric_is_better_where_it_is_lower(tmp_path):
    rules = replace_config(primary_metrics=("hd95",), bootstrap_draws=500)
    skills = {"frame": 0.5, "sequence": 0.85}
    run = run_of(
        tmp_path / "run", arms=("frame", "sequence"), subjects=12, skills=skills, evaluate=rules
    )
    found = compare([run])
    for one in (one for one in found.pairs[0].differences if one.metric == "hd95"):
        assert one.primary
        assert one.verdict == "better"
        assert one.estimate < -1
        assert " mm [-" in one.sentence
    assert "HD95 of each structure" in found.summary[1]
    assert found.settings.measure("hd95").margin == 0.5
