"""The answer, drift, stress and detectable differences, of made-up scores."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fakes.comparisons import write_run
from sonotempo.config import EvaluateConfig, StressConfig
from sonotempo.evaluation.comparison.answer import answer, answering
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.comparison.drift import drifts
from sonotempo.evaluation.comparison.statistics import detectable
from sonotempo.evaluation.scoring.frames import FRAME_COLUMNS

SMALL = EvaluateConfig(bootstrap_draws=200, stress=StressConfig())
ARMS = ("frame", "frame_continued", "sequence_reset", "sequence")


def run_of(folder, **changes):
    settings = {"subjects": 12, "frames": 8, "structures": "nerve+vessel", "evaluate": SMALL}
    return write_run(folder, arms=ARMS, **settings | changes)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    return compare([run_of(tmp_path_factory.mktemp("outcomes") / "run")])


class TestAnswer:
    def verdicts(self, comparison, *verdicts):
        """The comparison's memory pair with these verdicts of its tests, the answer to it."""
        pair = answering(comparison.pairs)[0]
        left = list(verdicts)
        changed = tuple(
            replace(one, verdict=left.pop(0) if one.primary else one.verdict)
            for one in pair.differences
        )
        return answer(
            [replace(pair, differences=changed)],
            comparison.settings,
            subjects=12,
            simulated=True,
        )

    def test_it_names_what_it_is_about_and_one_pair_per_arm(self, comparison):
        assert comparison.answer.startswith("On 12 simulated subjects, ")
        assert "sequence against frame_continued" in comparison.answer
        assert comparison.answer.count("\n") == 0
        assert [pair.arm for pair in answering(comparison.pairs)] == ["sequence"]

    @pytest.mark.parametrize(
        ("verdicts", "said"),
        [
            (("better", "not shown", "equivalent", "not shown"), "memory helps: "),
            (("worse", "not shown", "worse", "not shown"), "memory hurts: "),
            (("better", "worse", "equivalent", "equivalent"), "helps in one place and hurts"),
            (("equivalent",) * 4, "memory makes no difference (within 0.020): "),
            (("not shown",) * 4, "no effect of memory was shown: "),
        ],
    )
    def test_it_says_what_the_tests_show(self, comparison, verdicts, said):
        assert said in self.verdicts(comparison, *verdicts)

    def test_what_was_not_shown_names_what_would_have_been(self, comparison):
        assert "would have been" in self.verdicts(comparison, *["not shown"] * 4)

    def test_without_a_control_it_says_what_is_missing(self, comparison):
        said = answer([], comparison.settings, subjects=3, simulated=False)
        assert said.startswith("On 3 subjects, these arms cannot tell")


class TestDetectable:
    def test_more_subjects_show_smaller_differences(self):
        random = np.random.default_rng(0)
        few, many = random.normal(0, 0.1, 10), random.normal(0, 0.1, 100)
        assert detectable(few, 1) > 2 * detectable(many, 1)

    def test_it_is_shown_in_four_of_five_samples(self):
        """The power is that of the test that is used, by simulation."""
        from scipy.stats import wilcoxon

        random = np.random.default_rng(1)
        effect = detectable(random.normal(0, 0.1, 20000)[:30], 1)
        shown = [wilcoxon(random.normal(effect, 0.1, 30)).pvalue < 0.05 for _ in range(400)]
        assert np.mean(shown) == pytest.approx(0.8, abs=0.13)

    @pytest.mark.parametrize("values", [[], [0.1, 0.2], [0.1] * 8, [math.nan] * 8])
    def test_nothing_is_said_about_too_little(self, values):
        assert math.isnan(detectable(np.array(values), 1))

    def test_it_stands_beside_every_test(self, comparison):
        primary = [one for pair in comparison.pairs for one in pair.differences if one.primary]
        assert all(one.detectable is not None for one in primary)
        hidden = [one for one in primary if one.verdict == "not shown"]
        assert all("or more would have been" in one.sentence for one in hidden)


def frames_of(dice_by_age, subjects=8):
    rows = [
        {
            "structure": "nerve",
            "subject": f"s{subject}",
            "recording": f"s{subject}/r",
            "frame": age,
            "state_age": age,
            "dice": dice + 0.01 * subject,
            "reference_px": 50,
        }
        for subject in range(subjects)
        for age, dice in dice_by_age.items()
    ]
    return pd.DataFrame(rows)


class TestDrift:
    def test_a_state_that_does_harm_later_is_found_where_it_does(self):
        reset = frames_of(dict.fromkeys(range(1, 40), 0.6))
        carried = frames_of({age: 0.6 if age <= 16 else 0.5 for age in range(1, 40)})
        (found,) = drifts("sequence", carried, reset, ["nerve", "vessel"])
        assert (found.first, found.last) == (17, 39)
        assert found.carried == pytest.approx(0.535)
        assert found.reset == pytest.approx(0.635)
        assert found.ci_high < 0

    def test_a_state_that_helps_or_of_too_few_subjects_is_no_drift(self):
        reset = frames_of(dict.fromkeys(range(1, 40), 0.6))
        better = frames_of(dict.fromkeys(range(1, 40), 0.7))
        assert drifts("sequence", better, reset, ["nerve"]) == ()
        worse = frames_of(dict.fromkeys(range(1, 40), 0.5), subjects=4)
        assert drifts("sequence", worse, reset, ["nerve"]) == ()


@pytest.fixture(scope="module")
def stressed(tmp_path_factory):
    """One disturbance per recording in frames 2 and 3; sequence misses half as often."""
    run = run_of(tmp_path_factory.mktemp("stress") / "run", frames=16)
    for path in sorted(run.glob("*/fold-*/frames.parquet")):
        frames = pd.read_parquet(path)
        table = frames[list(FRAME_COLUMNS)].copy()
        order = sorted(table["frame"].unique())
        place = table["frame"].map({number: at for at, number in enumerate(order)})
        table["phase"] = np.where(place < 2, "sound", np.where(place < 4, "inside", "after"))
        table["kind"] = np.where(place < 2, "", "dark")
        table["offset"] = np.where(place < 2, 0, np.where(place < 4, place - 2, place - 4))
        inside = table["phase"] == "inside"
        misses = inside & ((place == 2) if path.parts[-3].startswith("sequence") else inside)
        table.loc[misses, ["tp_reference", "dice"]] = 0
        table.loc[inside & ~misses, "tp_reference"] = 1
        late = (table["phase"] == "after") & (table["offset"] < 2)
        table.loc[late, "dice"] = 0.0
        table.to_parquet(path.with_name("stress.parquet"), index=False)
    return compare([run])


class TestStress:
    def test_misses_are_counted_inside_and_compared(self, stressed):
        of = {(one.arm, one.phase, one.kind): one for one in stressed.stress}
        assert of["frame_continued", "inside", "all"].misses == 1
        assert of["sequence", "inside", "dark"].misses == pytest.approx(0.5, abs=0.05)
        (fewer,) = [
            one
            for one in stressed.stress_differences
            if (one.arm, one.baseline, one.kind) == ("sequence", "frame_continued", "all")
        ]
        assert fewer.fewer_misses == pytest.approx(0.5, abs=0.05)
        assert fewer.ci_low <= fewer.fewer_misses <= fewer.ci_high

    def test_the_way_back_is_counted_in_frames(self, stressed):
        after = next(one for one in stressed.stress if (one.arm, one.phase) == ("frame", "after"))
        # Two frames, but for structures that the arm does not find undisturbed either.
        assert 1 < after.frames_until_back <= 2
        assert after.back_within_3 == pytest.approx(1, abs=0.1)

    def test_runs_without_stress_have_no_such_table(self, comparison):
        assert comparison.stress == ()
        assert comparison.stress_differences == ()
