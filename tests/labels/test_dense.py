from pathlib import Path

import numpy as np
import pytest

from fakes.moving import dice, scene, steady
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.io import open_dataset
from sonotempo.io.writers import write_frame, write_sequence
from sonotempo.label_origin import Origin, read_origins
from sonotempo.labels import dense, dense_recording
from sonotempo.labels.dense import write_dense
from sonotempo.labels.settings import PropagationSettings, propagation_settings
from sonotempo.structures import NERVE_VESSEL

FRAMES, TRUTH = scene(steady(6), labels=(1, 2))
SPACING = (0.1, 0.2)
TIMES = np.arange(6) * 40_000_000 + 7_000_000


def export(root, subject="anna", *, labelled=(0, 4), origins=None, frames=FRAMES):
    """Write a sequence of six frames, from number 10, with masks in some of them."""
    masks = [TRUTH[index] if index in labelled else None for index in range(6)]
    write_sequence(
        root / subject / "one",
        "f",
        frames,
        masks,
        spacing_mm=SPACING,
        timestamps_ns=TIMES,
        frame_numbers=range(10, 16),
        origins=origins,
    )
    return root


def run(root, out, settings=None, **more):
    dataset = open_dataset(root, NERVE_VESSEL, **more)
    return list(write_dense(dataset, out, settings or PropagationSettings()))


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_frame_gets_a_mask_and_the_given_ones_stay(tmp_path):
    root = export(export(tmp_path / "in"), "bert", labelled=(2,))
    before = files(root)
    results = run(root, tmp_path / "out")
    assert [one.lines for one in results] == [
        ("anna/one: 2 kept, 4 propagated, 0 without a mask",),
        ("bert/one: 1 kept, 5 propagated, 0 without a mask",),
    ]
    assert files(root) == before
    made = open_dataset(tmp_path / "out", NERVE_VESSEL)
    assert made.subjects == ("anna", "bert")
    anna, bert = made.recordings
    assert anna.name == "anna/one"
    assert anna.frame_numbers.tolist() == list(range(10, 16))
    assert np.array_equal(anna.timestamps_ns - anna.timestamps_ns[0], TIMES - TIMES[0])
    for index in range(6):
        assert np.array_equal(anna.images[index], FRAMES[index])
        assert anna[index].spacing_mm == SPACING
        for label in (1, 2):
            assert dice(anna.mask(index) == label, TRUTH[index] == label) > 0.9
    assert np.array_equal(anna.mask(4), TRUTH[4])
    assert {index: one.text for index, one in anna.origins.items()} == dict.fromkeys(
        (1, 2, 3, 5), "propagated"
    )
    assert sorted(bert.origins) == [0, 1, 3, 4, 5]
    assert not any(one.is_truth for one in bert.origins.values())


def test_only_what_a_person_stands_behind_is_carried_and_all_but_old_propagated_ones_kept(tmp_path):
    origins = {
        0: Origin("model", "frame"),
        1: Origin("propagated"),
        3: Origin("propagated", is_accepted=True, by="Anna"),
        5: Origin("empty"),
    }
    root = export(tmp_path / "in", labelled=(0, 1, 3, 5), origins=origins)
    (result,) = run(root, tmp_path / "out")
    assert (result.kept, result.propagated) == (3, 3)
    (made,) = open_dataset(tmp_path / "out", NERVE_VESSEL).recordings
    fresh = dict.fromkeys((1, 2, 4), Origin("propagated"))
    assert dict(made.origins) == {0: origins[0], 3: origins[3], 5: origins[5], **fresh}
    assert np.array_equal(made.mask(0), TRUTH[0])


def test_reach_and_direction(tmp_path):
    root = export(tmp_path / "in", labelled=(2,))
    (result,) = run(root, tmp_path / "out", PropagationSettings(2, "forward"))
    assert (result.kept, result.propagated, result.unlabelled) == (1, 2, 3)
    (made,) = open_dataset(tmp_path / "out", NERVE_VESSEL).recordings
    assert (len(made), made.labelled) == (6, (2, 3, 4))


def test_sparse_exports_are_filled_from_their_recordings(tmp_path):
    """As Annotation Web exports them: labelled frames only; the others are elsewhere."""
    sparse = tmp_path / "in" / "anna" / "one"
    sparse.mkdir(parents=True)
    for number in (10, 14):
        image, mask = FRAMES[number - 10], TRUTH[number - 10]
        write_frame(sparse, f"f_{number}", image, mask, spacing_mm=SPACING, timestamp_ns=0)
    export(tmp_path / "whole", labelled=())
    with pytest.raises(RecordingError, match="give their folder with --frames-root"):
        run(tmp_path / "in", tmp_path / "out")
    (result,) = run(tmp_path / "in", tmp_path / "out", frames_root=tmp_path / "whole")
    assert (result.kept, result.propagated) == (2, 4)
    assert len(read_origins(tmp_path / "out" / "anna" / "one")) == 4


def test_what_ends_a_mask_is_named(tmp_path):
    frames = FRAMES.copy()
    frames[1] = 0
    frames[3:] = np.random.default_rng(0).integers(0, 255, frames[3:].shape, np.uint8)
    frames[4:] = frames[3]
    (result,) = run(export(tmp_path / "in", labelled=(0,), frames=frames), tmp_path / "out")
    assert result.lines == (
        "anna/one: 1 kept, 1 propagated, 4 without a mask",
        "  ends: frame 13 does not follow the one before: a cut, or motion too fast",
        "  passed over: frame 11 is dark, disturbed or of another scene",
        "  passed over: frame 13 is dark, disturbed or of another scene",
    )


def test_a_damaged_frame_is_left_out_and_a_damaged_mask_made_again(tmp_path):
    root = export(tmp_path / "in")
    for name in ("f_12.zraw", "f_14_gt.zraw"):
        (root / "anna" / "one" / name).write_bytes(b"no pixels")
    (result,) = run(root, tmp_path / "out")
    assert (result.kept, result.propagated) == (1, 4)
    assert any(one.startswith("frame 12 cannot be read") for one in result.passed_over)
    assert any(one.startswith("the mask of frame 14") for one in result.passed_over)
    (made,) = open_dataset(tmp_path / "out", NERVE_VESSEL).recordings
    assert made.frame_numbers.tolist() == [10, 11, 13, 14, 15]


def test_a_recording_without_a_label_is_left_out_until_it_has_one(tmp_path):
    root, out = export(tmp_path / "in"), tmp_path / "out"
    export(root, "bert", labelled=(0,), origins={0: Origin("model", "frame")})
    why = "bert/one: left out: it has no mask that a person made or accepted"
    assert run(root, out)[1].lines == (why,)
    export(root, "bert", labelled=(0,), origins={0: Origin("model", "frame", is_accepted=True)})
    assert run(root, out)[1].propagated == 5


def test_a_recording_without_frames_is_left_out_and_the_others_written(tmp_path):
    root = export(export(tmp_path / "in"), "bert")
    for path in (root / "anna" / "one").glob("*.zraw"):
        path.write_bytes(b"no pixels")
    first, second = run(root, tmp_path / "out")
    assert first.lines[0].startswith("anna/one: left out: the mask of frame 10: ")
    assert second.propagated == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "bert",
        dense.SETTINGS_FILE,
    ]


def test_a_rerun_continues_and_touches_nothing_that_is_there(tmp_path):
    root, out = export(tmp_path / "in"), tmp_path / "out"
    run(root, out)
    corrected = out / "anna" / "one" / "one_11_gt.zraw"
    corrected.write_bytes(corrected.read_bytes()[:-1] + b"x")
    before = files(out)
    (out / ".part-killed").mkdir()
    export(root, "bert")
    first, second = run(root, out)
    assert first.lines == ("anna/one: was there, stays as it is",)
    assert second.propagated == 4
    assert {name: files(out)[name] for name in before} == before
    assert not (out / ".part-killed").exists()


def test_an_interrupted_recording_leaves_nothing(tmp_path, monkeypatch):
    root, out = export(tmp_path / "in"), tmp_path / "out"

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(dense_recording, "write_origins", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(root, out)
    assert [path.name for path in out.rglob("*")] == [dense.SETTINGS_FILE]


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dense_recording, "write_frame", full)
    with pytest.raises(RecordingError, match=r"No space left on device\); give another folder"):
        run(export(tmp_path / "in"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*")] == [dense.SETTINGS_FILE]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecordingError, match="give another folder"):
        run(export(tmp_path / "in"), tmp_path / "file" / "out")


class TestRefused:
    def test_a_folder_of_something_else(self, tmp_path):
        root = export(tmp_path / "in")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "notes.txt").write_text("mine")
        with pytest.raises(RecordingError, match="what it holds was not propagated"):
            run(root, tmp_path / "out")

    def test_a_folder_with_other_settings(self, tmp_path):
        root = export(tmp_path / "in")
        run(root, tmp_path / "out")
        with pytest.raises(RecordingError, match="forward only, 3 frames, no model"):
            run(root, tmp_path / "out", PropagationSettings(3, "forward"))

    @pytest.mark.parametrize("content", ["", "[]", '{"settings": {"far": 3}}'])
    def test_a_damaged_folder(self, tmp_path, content):
        root = export(tmp_path / "in")
        run(root, tmp_path / "out")
        (tmp_path / "out" / dense.SETTINGS_FILE).write_text(content)
        with pytest.raises(RecordingError, match=r"propagation\.json is damaged"):
            run(root, tmp_path / "out")

    @pytest.mark.parametrize("inside", [".", "anna/new"])
    def test_the_data_themselves(self, tmp_path, inside):
        root = export(tmp_path / "in")
        with pytest.raises(RecordingError, match="stays as it is; give another folder"):
            run(root, root / inside)

    def test_labels_in_all_frames(self, tmp_path):
        root = export(tmp_path / "in", labelled=range(6))
        with pytest.raises(RecordingError, match="so there is nothing to fill"):
            run(root, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_no_label_of_a_person(self, tmp_path):
        root = export(tmp_path / "in", labelled=(0,), origins={0: Origin("model", "frame")})
        with pytest.raises(RecordingError, match="no mask that a person made or accepted"):
            run(root, tmp_path / "out")

    def test_an_unknown_direction(self):
        assert propagation_settings(None, "both") == PropagationSettings()
        with pytest.raises(ConfigError, match="did you mean 'forward'"):
            propagation_settings(3, "foward")


def test_names_that_collide_get_folders_of_their_own(tmp_path):
    root = export(tmp_path / "in", "a b")
    export(root, "a-b")
    run(root, tmp_path / "out")
    found = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").glob("*/*"))
    assert found == [Path("a-b/one"), Path("a-b/one-2")]
