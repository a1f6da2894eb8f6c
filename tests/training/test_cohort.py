import shutil

import numpy as np
import pytest

from fakes.experiments import Told, tiny_experiment
from fakes.files import noise, write_meta, write_png
from sonotempo.config import DataConfig
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.scoring.scored_data import DataFacts
from sonotempo.label_origin import Origin, write_origins
from sonotempo.phantom.cohort import COHORT_FILE, SUBJECT_FILE
from sonotempo.training.cohort import open_cohort


def cohort_of(root, tmp_path, **data):
    progress = Told()
    experiment = tiny_experiment(root, tmp_path / "cache")
    settings = DataConfig(**(experiment.data.model_dump() | data))
    return open_cohort(experiment.model_copy(update={"data": settings}), progress), progress


@pytest.fixture
def stills(tmp_path):
    """Five labelled stills, of which two are alike."""
    root = tmp_path / "stills"
    for number, seed in enumerate((1, 2, 3, 1, 4)):
        image = noise(40, 40, seed=seed, high=200)
        write_png(root / "images" / f"{number}.png", image)
        mask = np.zeros((40, 40), np.uint8)
        mask[10:20, 10:20] = 1
        write_png(root / "masks" / f"{number}.png", mask)
    return root


def test_recordings_with_subjects_are_fitted_and_need_no_note(shapes, tmp_path):
    cohort, progress = cohort_of(shapes, tmp_path)
    assert len({recording.subject for recording in cohort.recordings}) == 4
    assert cohort.facts == DataFacts()
    assert cohort.facts.sentences() == ()
    assert cohort.skipped == ()
    assert [(name, total) for name, total, _ in progress.steps] == [
        ("fitting frames to the network grid", 4)
    ]


@pytest.mark.parametrize("mark", [COHORT_FILE, f"subject-01/sequence-0/{SUBJECT_FILE}"])
def test_a_simulated_recording_makes_the_cohort_simulated(shapes, tmp_path, mark):
    """Also where only some recordings were copied from a simulated cohort."""
    root = shutil.copytree(shapes, tmp_path / "copy")
    (root / mark).write_text("{}")
    cohort, _ = cohort_of(root, tmp_path)
    assert cohort.facts.simulated


def test_near_identical_stills_share_a_subject_and_the_facts_say_what_folds_mean(stills, tmp_path):
    cohort, _ = cohort_of(stills, tmp_path)
    subjects = [recording.subject for recording in cohort.recordings]
    assert len(subjects) == 5
    assert subjects[3] == subjects[0]
    assert len(set(subjects)) == 4
    assert cohort.facts == DataFacts(fold_unit="image", stills_in_motion=True)


def test_a_torn_still_is_skipped_by_name_and_the_others_are_used(stills, tmp_path):
    torn = stills / "images" / "2.png"
    torn.write_bytes(torn.read_bytes()[:200])
    cohort, _ = cohort_of(stills, tmp_path)
    assert len(cohort.recordings) == 4
    assert any("2.png" in line for line in cohort.skipped)


def test_a_recording_without_a_mask_is_skipped_by_name(stills, tmp_path):
    (stills / "masks" / "4.png").unlink()
    cohort, _ = cohort_of(stills, tmp_path)
    assert len(cohort.recordings) == 4
    (line,) = cohort.skipped
    assert "4.png" in line
    assert "no frame has a mask" in line


def test_nothing_usable_is_an_error_with_reasons(stills, tmp_path):
    for mask in (stills / "masks").iterdir():
        write_png(mask, np.full((40, 40), 9, np.uint8))
    with pytest.raises(RecordingError, match=r"nothing in .* can be used: .*label value 9"):
        cohort_of(stills, tmp_path)


def test_no_data_folder_is_a_sentence_with_the_key(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.root is not set; add data\.root=FOLDER"):
        cohort_of(None, tmp_path)


def test_an_area_outside_the_frames_is_a_sentence(shapes, tmp_path):
    experiment = tiny_experiment(shapes, tmp_path / "cache")
    data = experiment.data.model_copy(update={"area": (100, 100, 200, 200)})
    with pytest.raises(RecordingError, match=r"is outside a frame of 32x32.*data\.area"):
        open_cohort(experiment.model_copy(update={"data": data}), Told())


def test_what_the_files_leave_open_is_said_once(tmp_path):
    root = tmp_path / "data"
    for subject, flag in (("s1", "MF"), ("s2", "UN")):
        folder = root / subject / "q"
        for i in range(2):
            write_meta(
                folder / f"us_{i}.mhd", noise(40, 40, seed=i), UltrasoundImageOrientation=flag
            )
            mask = np.zeros((40, 40), np.uint8)
            mask[10:20, 10:20] = 1
            write_meta(folder / f"us_{i}_gt.mhd", mask)
    _, progress = cohort_of(root, tmp_path)
    assert progress.text.count("2 of 2 recordings hold no times; 25 frames per second") == 1
    assert "stored in 2 orientations (MF, UN)" in progress.text


def test_a_data_set_whose_masks_are_all_empty_is_refused_before_training(stills, tmp_path):
    for path in (stills / "masks").iterdir():
        write_png(path, np.zeros((40, 40), np.uint8))
    with pytest.raises(RecordingError, match=r"every mask in .* is empty"):
        cohort_of(stills, tmp_path)


@pytest.fixture
def reviewed(tmp_path, shapes):
    """Four subjects of six masks: one of people, one half accepted, one of a model, one mixed."""
    root = shutil.copytree(shapes, tmp_path / "reviewed")

    def origins(subject, made):
        write_origins(root / f"subject-{subject:02d}" / "sequence-0", made)

    origins(1, {n: Origin("propagated", is_accepted=n < 3) for n in range(6)})
    origins(2, {n: Origin("model", "frame") for n in range(6)})
    origins(3, {n: Origin("propagated") for n in range(1, 6)})
    return root


def test_masks_that_nobody_accepted_are_not_used(reviewed, tmp_path):
    cohort, _ = cohort_of(reviewed, tmp_path)
    assert [one.labelled for one in cohort.recordings] == [tuple(range(6)), (0, 1, 2), (0,)]
    assert cohort.notes == (
        "references: 7 human, 3 propagated (accepted); not used: 6 model:frame, 8 propagated",
    )
    (skipped,) = cohort.skipped
    assert skipped.endswith(
        "no frame has a mask that data.use=human,accepted names; it has 6 model:frame"
    )


def test_other_masks_train_if_the_settings_say_so_and_are_never_scored_by(reviewed, tmp_path):
    cohort, _ = cohort_of(reviewed, tmp_path, use=["human", "accepted", "propagated", "model"])
    assert [len(one.labelled) for one in cohort.recordings] == [6, 6, 6, 6]
    assert [len(one.scored) for one in cohort.recordings] == [6, 3, 0, 1]
    assert cohort.references == (
        "references: 7 human, 3 propagated (accepted); for training alone: 6 model:frame, "
        "8 propagated"
    )


def test_data_without_a_reference_are_refused(reviewed, tmp_path):
    for number in (0, 1, 3):
        shutil.rmtree(reviewed / f"subject-{number:02d}")
    with pytest.raises(RecordingError, match=r"can be used: .*6 model:frame"):
        cohort_of(reviewed, tmp_path)
    with pytest.raises(RecordingError, match=r"scored by: .*for training alone: 6 model:frame"):
        cohort_of(reviewed, tmp_path, use=["human", "model"])


def test_data_of_people_need_no_sentence(shapes, tmp_path):
    assert cohort_of(shapes, tmp_path)[0].notes == ()
