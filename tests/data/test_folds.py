import json
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.recordings import Generated, make_recording
from sonotempo.config import FoldsConfig
from sonotempo.data.folds import Fold, load_folds, make_folds, save_folds, share_subjects
from sonotempo.errors import ConfigError

STRATA = st.sampled_from([("nerve",), ("vessel",), ("nerve", "vessel")])
SUBJECTS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), STRATA, max_size=24)
SETTINGS = st.builds(
    FoldsConfig,
    count=st.integers(2, 12),
    validation_subjects=st.integers(1, 4),
    stratify=st.booleans(),
)


def attempt(subjects, config, seed=0):
    """The folds, or None where there are too few subjects."""
    try:
        return make_folds(subjects, config, seed)
    except ConfigError:
        return None


@settings(deadline=None)
@given(SUBJECTS, SETTINGS, st.integers(0, 2**32))
def test_every_subject_is_tested_once_and_is_never_on_two_sides(subjects, config, seed):
    folds = attempt(subjects, config, seed)
    if folds is None:
        return
    assert [fold.number for fold in folds] == list(range(config.count))
    tested = Counter(name for fold in folds for name in fold.test)
    assert tested == Counter(list(subjects))
    sizes = [len(fold.test) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    for fold in folds:
        sides = [set(fold.train), set(fold.validation), set(fold.test)]
        assert all(sides)
        assert set.union(*sides) == set(subjects)
        assert sum(map(len, sides)) == len(subjects)
        assert len(fold.validation) == config.validation_subjects


@settings(deadline=None)
@given(SUBJECTS, SETTINGS, st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_folds_in_whatever_order_subjects_come(subjects, config, seed):
    backwards = dict(reversed(subjects.items()))
    assert attempt(subjects, config, seed) == attempt(backwards, config, seed)


@settings(deadline=None)
@given(SUBJECTS, SETTINGS)
def test_the_folds_are_refused_only_if_a_side_would_be_empty(subjects, config):
    largest_test = -(-len(subjects) // config.count)
    enough = (
        len(subjects) >= config.count and len(subjects) - largest_test > config.validation_subjects
    )
    assert (attempt(subjects, config) is not None) == enough


@settings(deadline=None)
@given(SUBJECTS, SETTINGS)
def test_the_remedy_for_too_few_subjects_is_one(subjects, config):
    if attempt(subjects, config) is not None:
        return
    with pytest.raises(ConfigError) as error:
        make_folds(subjects, config, 0)
    named = re.search(r"set folds.count to (?:(\d+) to )?(\d+)$", str(error.value))
    assert named or str(error.value).endswith("; add subjects")
    advised = range(int(named[1] or named[2]), int(named[2]) + 1) if named else ()
    for count in range(2, len(subjects) + 1):
        works = attempt(subjects, config.model_copy(update={"count": count})) is not None
        assert works == (count in advised)


@settings(deadline=None)
@given(SUBJECTS, SETTINGS, st.integers(0, 2**32))
def test_strata_are_spread_evenly_over_the_test_sides(subjects, config, seed):
    folds = attempt(subjects, config.model_copy(update={"stratify": True}), seed)
    for stratum in set(subjects.values()) if folds else ():
        counts = [sum(subjects[name] == stratum for name in fold.test) for fold in folds]
        assert max(counts) - min(counts) <= 1


def test_one_subject_for_ten_folds_is_refused_in_one_sentence():
    with pytest.raises(ConfigError, match=r"^1 subject cannot make 10 folds .*; add subjects$"):
        make_folds({"anna": ()}, FoldsConfig(count=10), 0)


def test_different_seeds_give_different_folds():
    subjects = {f"s{i}": () for i in range(12)}
    assert len({make_folds(subjects, FoldsConfig(count=4), seed) for seed in range(5)}) > 1


def test_folds_survive_their_file(tmp_path):
    folds = make_folds({f"sübject {i}": () for i in range(7)}, FoldsConfig(count=3), 1)
    save_folds(folds, tmp_path / "folds.json")
    assert load_folds(tmp_path / "folds.json") == folds


@pytest.mark.parametrize(
    "text", ["", "{", "3", '{"number": 0}', '[{"number": 0}]', '["fold"]', "null"]
)
def test_what_is_no_fold_file_is_refused_by_name(tmp_path, text):
    path = tmp_path / "folds.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"folds\.json is not a fold file"):
        load_folds(path)


def test_a_missing_fold_file_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.json is not a fold file"):
        load_folds(tmp_path / "no.json")


def written(tmp_path, *folds):
    path = tmp_path / "folds.json"
    keys = ("number", "train", "validation", "test")
    path.write_text(json.dumps([dict(zip(keys, fold, strict=True)) for fold in folds]), "utf-8")
    return path


@pytest.mark.parametrize("sides", [("abc", "c", "d"), ("ab", "c", "ad"), ("ab", "cd", "d")])
def test_a_hand_written_fold_that_leaks_is_refused_with_the_subject(tmp_path, sides):
    path = written(tmp_path, (0, *map(list, sides)))
    with pytest.raises(ConfigError, match="on two sides"):
        load_folds(path)


def test_a_fold_without_a_side_is_refused():
    with pytest.raises(ConfigError, match="fold 4 has no validation subject"):
        Fold(4, ("a",), (), ("b",))


def test_hand_written_folds_that_test_a_subject_twice_are_refused(tmp_path):
    first, second = (0, ["a"], ["b"], ["c"]), (1, ["a"], ["b"], ["c"])
    with pytest.raises(ConfigError, match="c is tested in more than one fold"):
        load_folds(written(tmp_path, first, second))


def test_hand_written_folds_that_share_a_number_are_refused(tmp_path):
    first, second = (0, ["a"], ["b"], ["c"]), (0, ["a"], ["c"], ["b"])
    with pytest.raises(ConfigError, match="number 0 is given to more than one fold"):
        load_folds(written(tmp_path, first, second))


class Pictures(Generated):
    """One given image."""

    def __init__(self, image_HW):
        super().__init__(1, image_HW.shape)
        self.image_HW = image_HW

    def __getitem__(self, index):
        return self.image_HW


def stills(tmp_path, *images):
    from dataclasses import replace

    return [
        replace(
            make_recording(tmp_path / str(i), 1, subject=f"s{i}", name=f"s{i}"),
            images=Pictures(image),
        )
        for i, image in enumerate(images)
    ]


def noise(seed):
    return np.random.default_rng(seed).integers(0, 200, (64, 64), np.uint8)


def test_near_identical_stills_share_the_subject_of_the_first(tmp_path):
    a, b = noise(1), noise(2)
    nearly_a = a + np.random.default_rng(3).integers(0, 8, a.shape, np.uint8)
    found = share_subjects(stills(tmp_path, b, a, nearly_a, a // 2), 0.9)
    assert [still.subject for still in found] == ["s0", "s1", "s1", "s1"]
    assert [still.name for still in found] == ["s0", "s1", "s2", "s3"]


def test_stills_that_are_linked_through_a_third_share_a_subject(tmp_path):
    a, b = noise(1).astype(float), noise(2).astype(float)
    between = [np.rint(a * w + b * (1 - w)).astype(np.uint8) for w in (1, 0.5, 0)]
    assert len({r.subject for r in share_subjects(stills(tmp_path, *between[::2]), 0.6)}) == 2
    assert len({r.subject for r in share_subjects(stills(tmp_path, *between), 0.6)}) == 1


def test_blank_stills_share_nothing_and_do_not_divide_by_zero(tmp_path):
    blank = np.zeros((64, 64), np.uint8)
    with np.errstate(all="raise"):
        found = share_subjects(stills(tmp_path, blank, blank), 0.9)
    assert [still.subject for still in found] == ["s0", "s1"]


def test_a_still_that_cannot_be_read_keeps_its_subject_and_harms_no_other(tmp_path):
    from dataclasses import replace

    from sonotempo.errors import RecordingError

    good, bad, same = stills(tmp_path, noise(1), noise(2), noise(1))
    bad = replace(bad, images=Generated(1, broken={0: RecordingError("torn")}))
    found = share_subjects([good, bad, same], 0.9)
    assert [still.subject for still in found] == ["s0", "s1", "s0"]
