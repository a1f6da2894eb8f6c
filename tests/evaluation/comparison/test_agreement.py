import numpy as np
import pytest

from fakes.recordings import make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.agreement import agreement, pair_notes, read_agreement
from sonotempo.evaluation.comparison.human import human_references
from sonotempo.evaluation.scoring.readers import Reader, score_pair
from sonotempo.structures import NERVE_VESSEL

SHAPE = (40, 40)


def square(rows):
    """A nerve of so many rows."""
    mask_HW = np.zeros(SHAPE, np.uint8)
    mask_HW[:rows, :10] = 1
    return mask_HW


def reader(tmp_path, name, rows_of, spacing_mm=(0.5, 0.5)):
    """One subject per entry, whose frames hold a nerve of so many rows."""
    recordings = [
        make_recording(
            tmp_path / name / subject,
            len(rows),
            masks={index: square(height) for index, height in enumerate(rows)},
            shape_HW=SHAPE,
            subject=subject,
            name=f"{subject}/one",
            spacing_mm=spacing_mm,
        )
        for subject, rows in rows_of.items()
    ]
    return Reader.of(name, tuple(recordings))


def agreed(*pairs, **more):
    rules = EvaluateConfig()
    scored = [score_pair(one, other, NERVE_VESSEL, rules) for one, other in pairs]
    return agreement(scored, NERVE_VESSEL.names, tolerance_mm=1.0, draws=500, **more)


def cell(found, readers, metric="dice"):
    (one,) = [c for c in found.cells if (c.readers, c.metric) == (readers, metric)]
    return one


def test_the_mean_is_over_subjects_and_not_over_frames(tmp_path):
    one = reader(tmp_path, "anna", {"x": [10], "y": [10, 10, 10]})
    other = reader(tmp_path, "ben", {"x": [10], "y": [30, 30, 30]})
    dice = cell(agreed((one, other)), ("anna", "ben"))
    assert dice.mean == pytest.approx((1 + 0.5) / 2)
    assert (dice.low, dice.high) == (0.5, 1.0)
    assert (dice.subjects, dice.frames, dice.structure) == (2, 4, "nerve")


def test_a_structure_that_only_one_reader_draws_counts_against_that_reference_alone(tmp_path):
    # In the frame that only anna draws, Dice is 0 with anna as the reference; ben has none there.
    one = reader(tmp_path, "anna", {"x": [10, 10]})
    other = reader(tmp_path, "ben", {"x": [10, 0]})
    dice = cell(agreed((one, other)), ("anna", "ben"))
    assert dice.mean == pytest.approx((0.5 + 1.0) / 2)
    assert dice.frames == 2
    assert (dice.low, dice.high, dice.reason) == (None, None, "one subject: no interval")


def test_the_order_of_the_readers_changes_nothing(tmp_path):
    rows = np.random.default_rng(0).integers(5, 30, (2, 5, 3))
    one, other = (
        reader(tmp_path, name, {str(s): of[s].tolist() for s in range(5)})
        for name, of in zip(("anna", "ben"), rows, strict=True)
    )
    there, back = agreed((one, other)), agreed((other, one))
    for metric in ("dice", "nsd"):
        a, b = cell(there, ("anna", "ben"), metric), cell(back, ("ben", "anna"), metric)
        assert (a.mean, a.low, a.high) == (b.mean, b.low, b.high)
        assert 0 < a.low < a.mean < a.high < 1


def test_three_readers_have_every_pair_and_the_mean_over_pairs(tmp_path):
    anna = reader(tmp_path, "anna", {"x": [10], "y": [10]})
    ben = reader(tmp_path, "ben", {"x": [10], "y": [10]})
    cara = reader(tmp_path, "cara", {"x": [30]})  # has not labelled y
    found = agreed((anna, ben), (anna, cara), (ben, cara))
    assert found.readers == ("anna", "ben", "cara")
    assert cell(found, ("anna", "ben")).mean == 1
    assert cell(found, ("anna", "cara")).mean == 0.5
    every = cell(found, ("anna", "ben", "cara"))
    assert every.mean == pytest.approx(((1 + 0.5 + 0.5) / 3 + 1) / 2, abs=1e-3)
    assert (every.subjects, every.frames) == (2, 2)


def test_nsd_without_a_spacing_is_missing_and_says_why(tmp_path):
    rows = {"x": [10], "y": [10]}
    pair = [reader(tmp_path, name, rows, spacing_mm=None) for name in ("anna", "ben")]
    nsd = cell(agreed(pair), ("anna", "ben"), "nsd")
    assert (nsd.mean, nsd.low, nsd.subjects, nsd.reason) == (
        None,
        None,
        0,
        "the spacing is unknown",
    )


def test_the_notes_count_what_only_one_has_labelled(tmp_path):
    one = reader(tmp_path, "anna", {"x": [10, 10, 10]})
    other = reader(tmp_path, "ben", {"x": [10, 10]})
    (note,) = pair_notes([score_pair(one, other, NERVE_VESSEL, EvaluateConfig())])
    assert note == "anna and ben: 2 frames labelled by both; not compared: 1 by anna alone"


@pytest.fixture
def file(tmp_path):
    anna = reader(tmp_path, "anna", {"x": [10], "y": [12]})
    ben = reader(tmp_path, "ben", {"x": [10], "y": [10]})
    cara = reader(tmp_path, "cara; MD", {"x": [30], "y": [10]})
    found = agreed((anna, ben), (anna, cara), (ben, cara))
    path = tmp_path / "agreement.csv"
    path.write_text(found.csv(), encoding="utf-8")
    return path, found


def test_the_file_gives_the_dice_of_all_readers(file):
    path, found = file
    read = read_agreement(path)
    assert list(read) == ["nerve"]
    every = cell(found, found.readers)
    assert (read["nerve"].mean, read["nerve"].low) == (every.mean, every.low)
    assert read["nerve"].readers == ("anna", "ben", "cara, MD")


def test_it_takes_the_place_of_the_literature_where_it_says_something(file):
    path, found = file
    nerve, vessel = human_references(("nerve", "vessel"), path)
    every = cell(found, found.readers)
    assert (nerve.dice, nerve.measured) == (every.mean, True)
    assert nerve.source == (
        "human–human Dice of anna, ben and cara, MD in 2 frames of 2 subjects, 95 % interval "
        f"{every.low:.3f} to {every.high:.3f}, agreement.csv"
    )
    assert (vessel.dice, vessel.measured) == (0.88, False)
    with pytest.raises(
        ConfigError, match=r"is about nerve, none of which was scored here \(bone\)"
    ):
        human_references(("bone",), path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: "", "holds no Dice between readers"),
        (lambda text: text.splitlines()[0], "holds no Dice between readers"),
        (lambda text: text.replace("dice", "f1"), "holds no Dice between readers"),
        (lambda text: text.replace("mean", "median"), "'mean'"),
        (lambda text: text.replace("nerve,anna; ben,dice,", "nerve,anna; ben,dice,1"), "no share"),
        (lambda text: text.replace("nerve,anna; ben,dice,", "nerve,anna; ben,dice,x"), "float"),
        (lambda text: text.replace(",2,", ","), "does not say how well"),
    ],
)
def test_a_damaged_file_is_refused(file, change, why):
    path, _ = file
    path.write_text(change(path.read_text("utf-8")), encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        read_agreement(path)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_agreement(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="does not say how well readers agree"):
        read_agreement(tmp_path / "x.csv")
