"""Cohorts on disk: the layout, the ground truth, continuing, and bad input."""

import csv
import errno
import json
import sys
from itertools import count

import numpy as np
import pytest

from sonotempo import cli
from sonotempo.errors import ConfigError, SonotempoError
from sonotempo.io import open_dataset
from sonotempo.phantom import cohort
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import phantom_settings
from sonotempo.structures import AXILLARY, FEMORAL

SMALL = {"subjects": 2, "seconds": 0.2, "size": 64, "event_rate": 0.0}


def small(**changes):
    return phantom_settings(**{**SMALL, **changes})


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_our_own_reader_reads_it(tmp_path):
    assert write_cohort(tmp_path / "out", small(procedure="femoral")) == 2
    dataset = open_dataset(tmp_path / "out", FEMORAL)
    assert dataset.layout == "annotation_web"
    assert dataset.skipped == ()
    assert dataset.subjects == ("subject-000", "subject-001")
    for recording in dataset.recordings:
        assert recording.labelled == (0, 1, 2, 3)
        assert recording.timestamps_ns.tolist() == [0, 50_000_000, 100_000_000, 150_000_000]
        assert recording[0].spacing_mm == pytest.approx((recording.spacing_mm[0],) * 2)
        assert 0.2 < recording.spacing_mm[0] < 1
        assert recording.mask(0).max() <= 3
        assert recording[0].image_HW.max() > 100


def test_the_truth_of_every_frame_lies_beside_it(tmp_path):
    write_cohort(tmp_path, small(seconds=8, event_rate=4.0, subjects=1, seed=4))
    folder = tmp_path / "subject-000" / "sequence-0"
    with (folder / "truth.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == len(list(folder.glob("frame_*_gt.mhd")))
    kinds = {kind for row in rows for kind in row["event"].split("+") if kind}
    assert kinds == {"contact loss", "depth change", "freeze", "drop"}
    numbers = [int(row["frame"]) for row in rows]
    missing = [int(row["dropped_before"]) for row in rows]
    assert (np.diff([-1, *numbers]) - 1).tolist() == missing
    assert all(0 <= float(row["median nerve gain"]) <= 1 for row in rows)
    described = json.loads((folder / "subject.json").read_text())
    assert described["subject"] == "subject-000"
    assert described["scanner"] == "cart"
    (recording,) = open_dataset(tmp_path, AXILLARY).recordings
    assert recording.frame_numbers.tolist() == numbers


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_cohort(tmp_path / name, small())
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_processes_write_the_same_bytes_as_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    done = []
    assert write_cohort(one, small(subjects=3)) == 3
    assert write_cohort(two, small(subjects=3), on_subject=lambda: done.append(1), jobs=2) == 3
    assert contents(one) == contents(two)
    assert len(done) == 3


def test_an_error_in_a_process_is_that_of_the_call(tmp_path):
    write_cohort(tmp_path, small(subjects=1))
    (tmp_path / "subject-001").write_text("in the way", encoding="utf-8")
    with pytest.raises(SonotempoError, match="cannot be written"):
        write_cohort(tmp_path, small(subjects=3), jobs=2)


def test_what_is_there_is_left_alone_and_more_subjects_are_added(tmp_path):
    done = []
    write_cohort(tmp_path, small())
    before = contents(tmp_path)
    assert write_cohort(tmp_path, small(), on_subject=lambda: done.append(1)) == 0
    assert len(done) == 2
    assert contents(tmp_path) == before
    assert write_cohort(tmp_path, small(subjects=3)) == 1
    assert write_cohort(tmp_path, small(subjects=1)) == 0


def test_a_full_disk_keeps_what_is_there_and_a_rerun_ends_the_same(tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    write_cohort(whole, small())
    written = count()
    write_frame = cohort.write_frame

    def until_full(*arguments, **options):
        if next(written) == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_frame(*arguments, **options)

    monkeypatch.setattr(cohort, "write_frame", until_full)
    with pytest.raises(SonotempoError, match=r"No space left.*free some space.*it continues"):
        write_cohort(broken, small())
    dataset = open_dataset(broken, AXILLARY)
    assert [len(recording) for recording in dataset.recordings] == [4, 2]
    assert dataset.skipped == ()
    monkeypatch.undo()
    assert write_cohort(broken, small()) == 1
    assert contents(broken) == contents(whole)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"procedure": "femoral"}, {"fading": 0.1}])
def test_a_folder_with_other_settings_is_left_alone(tmp_path, changes):
    write_cohort(tmp_path, small())
    before = contents(tmp_path)
    (key,) = changes
    with pytest.raises(ConfigError, match=f"holds a cohort with {key}"):
        write_cohort(tmp_path, small(**changes))
    assert contents(tmp_path) == before


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and holds no cohort"):
        write_cohort(tmp_path, small())


def test_a_damaged_cohort_file_is_named(tmp_path):
    (tmp_path / "cohort.json").write_text("{")
    with pytest.raises(ConfigError, match=r"cohort\.json is damaged"):
        write_cohort(tmp_path, small())


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SonotempoError, match=r"file.out cannot be written .*choose another folder"):
        write_cohort(tmp_path / "file" / "out", small())


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["sonotempo", "phantom", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


OPTIONS = ("--subjects", "1", "--seconds", "0.1", "--size", "64")


@pytest.mark.parametrize(
    "words", [("OUT", *OPTIONS), ("make", "OUT", *OPTIONS), (*OPTIONS, "OUT")], ids=" ".join
)
def test_the_command_has_a_short_and_a_long_form(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, *words) == 0
    assert "1 simulated subjects, 1 of them new: OUT" in capsys.readouterr().out
    assert (tmp_path / "OUT" / "cohort.json").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("OUT", "--subjects", "0"), "subjects is 0; expected 1"),
        (("OUT", "--depth", "9"), "expected 2 to 8 cm"),
        (("OUT", "--procedure", "femural"), "did you mean 'femoral'"),
    ],
)
def test_bad_input_ends_in_one_sentence(tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, *words) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "OUT").exists()
