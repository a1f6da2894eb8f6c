"""Every format: what it refuses, and that a folder is whole or not there."""

from dataclasses import replace

import numpy as np
import pytest

from fakes.exchange import export_to
from fakes.recordings import half_and_half, make_recording
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.exchange import targets
from sonotempo.exchange.outgoing import outgoing
from sonotempo.exchange.targets import TARGETS, target_named
from sonotempo.io import open_dataset
from sonotempo.io.writers import write_sequence
from sonotempo.label_origin import Origin, read_origins, write_origins
from sonotempo.structures import NERVE_VESSEL

NAMES = [target.name for target in TARGETS]


def test_an_unknown_format_is_answered_with_all_of_them():
    with pytest.raises(ConfigError, match=r"unknown --to 'cocoo'; did you mean 'coco'.*labelme"):
        target_named("cocoo")
    with pytest.raises(ConfigError, match="unknown --shapes 'polygon'; did you mean 'polygons'"):
        target_named("coco", shapes="polygon")


@pytest.mark.parametrize("name", NAMES)
def test_options_that_a_format_cannot_hold_are_refused(name):
    target = next(one for one in TARGETS if one.name == name)
    for options, can in (
        ({"all_frames": True}, target.holds_unlabelled),
        ({"shapes": "polygons"}, target.draws_polygons),
        ({"folds": True}, target.takes_folds),
    ):
        if can:
            assert target_named(name, **options) == target
        else:
            with pytest.raises(ConfigError, match=r"cannot hold what --.* export to one of: "):
                target_named(name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, name):
    made, out = make_recording(tmp_path / "raw", 2), tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="out is not empty; give a new or empty DST"):
        export_to(name, out, [made])
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    with pytest.raises(ConfigError, match=r"mine\.txt is a file"):
        export_to(name, out / "mine.txt", [made])


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_that_cannot_be_read_leaves_nothing_behind(tmp_path, name):
    broken = make_recording(tmp_path / "raw", 3, broken={2: RecordingError("frame 2 is cut short")})
    with pytest.raises(RecordingError, match="frame 2 is cut short"):
        export_to(name, tmp_path / "out", [broken])
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("name", NAMES)
def test_masks_of_other_structures_are_refused(tmp_path, name):
    made = make_recording(tmp_path / "raw", 2, masks={0: half_and_half((40, 48), label=3)})
    with pytest.raises(RecordingError, match="label value 3, but only 2 structures are named"):
        export_to(name, tmp_path / "out", [made])
    assert not (tmp_path / "out").exists()


def test_data_without_labels_are_refused_unless_all_frames_are_asked_for(tmp_path):
    made = make_recording(tmp_path / "raw", 3, labelled=[])
    with pytest.raises(RecordingError, match="none of the 3 frames of 1 recordings has a mask"):
        outgoing([made])
    assert outgoing([made], all_frames=True)[0].indices == (0, 1, 2)


@pytest.mark.parametrize("name", ["cvat", "nifti", "dicom"])
def test_frames_of_several_sizes_are_refused_by_formats_of_one_size(tmp_path, name):
    made = make_recording(tmp_path / "raw", 2)

    class Growing:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return np.zeros((40 + index, 48), np.uint8)

    masks = {i: (lambda i=i: half_and_half((40 + i, 48))) for i in range(2)}
    growing = replace(made, images=Growing(), mask_readers=masks)
    with pytest.raises(RecordingError, match=r"frame 1 of .* is 41x48 pixels but .* 40x48"):
        export_to(name, tmp_path / "out", [growing])


@pytest.mark.parametrize("package", ["pycocotools", "nibabel"])
def test_a_missing_package_names_the_extra(tmp_path, monkeypatch, package):
    def missing(module):
        raise ModuleNotFoundError("no", name=f"{package}.mask")

    monkeypatch.setattr(targets, "import_module", missing)
    with pytest.raises(
        ConfigError, match=rf"needs the package '{package}'; .*sonotempo\[exchange\]"
    ):
        export_to("coco", tmp_path / "out", [make_recording(tmp_path / "raw", 1)])


def test_any_other_missing_package_is_a_fault_of_the_program(tmp_path, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError("no", name="unheard_of")

    monkeypatch.setattr(targets, "import_module", missing)
    with pytest.raises(ModuleNotFoundError):
        export_to("coco", tmp_path / "out", [make_recording(tmp_path / "raw", 1)])


def test_subjects_are_kept_apart_whatever_they_are_called(tmp_path):
    names = ["../anna", "Anna", "anna", "..", "a/b"]
    made = [
        make_recording(tmp_path / "raw", 1, subject=name, name=f"{name}/{i}")
        for i, name in enumerate(names)
    ]
    folders = [entry.subject for entry in outgoing(made)]
    assert len({folder.casefold() for folder in folders}) == len(names)
    export_to("labelme", tmp_path / "out", made)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(folders)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def test_recordings_of_one_subject_keep_their_own_names(tmp_path):
    made = [
        make_recording(tmp_path / "raw", 1, subject="anna", name=name)
        for name in ("anna/left", "left", "anna/left:1", "anna/left?1")
    ]
    assert [entry.name for entry in outgoing(made)] == ["left", "left-2", "left-1", "left-1-2"]


def test_who_made_a_mask_goes_out_with_it(tmp_path):
    folder = tmp_path / "in" / "anna" / "arm"
    frames = np.zeros((3, 8, 8), np.uint8)
    write_sequence(
        folder, "f", frames, frames, spacing_mm=None, timestamps_ns=np.zeros(3, np.int64)
    )
    origins = {0: Origin("model", "frame", is_accepted=True), 2: Origin("propagated")}
    write_origins(folder, origins)
    data = open_dataset(tmp_path / "in", NERVE_VESSEL)
    export_to("annotation-web", tmp_path / "out", data.recordings)
    assert read_origins(tmp_path / "out" / "anna" / "arm") == origins
