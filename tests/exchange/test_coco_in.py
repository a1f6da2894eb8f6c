"""COCO files of other programs, and those that cannot be used."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.exchange import export_to, import_from
from fakes.files import noise, write_png
from fakes.recordings import make_recording
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.exchange.incoming import ImportRequest
from sonotempo.exchange.sources import read
from sonotempo.structures import NERVE_VESSEL

SQUARE = [2, 1, 6, 1, 6, 4, 2, 4]


def coco(folder, *annotations, files=("anna/f_1.png", "anna/f_2.png"), **changes):
    """A COCO file of 8x10 pixels with images that are there."""
    for number, file in enumerate(files):
        write_png(folder / file, noise(8, 10, seed=number))
    content = {
        "categories": [{"id": 7, "name": "Vessel"}, {"id": 3, "name": "nerve"}],
        "images": [
            {"id": i, "file_name": file, "height": 8, "width": 10} for i, file in enumerate(files)
        ],
        "annotations": [
            {"id": i, "image_id": 0, "category_id": 7, **one} for i, one in enumerate(annotations)
        ],
        **changes,
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def taken(path, tmp_path, **options):
    return import_from("coco", path, tmp_path / "back", **options)


def test_polygons_and_lists_of_runs_of_other_programs(tmp_path):
    runs = {"size": [8, 10], "counts": [0, 3, 77]}
    path = coco(tmp_path, {"segmentation": [SQUARE]}, {"segmentation": runs, "category_id": 3})
    found = taken(path, tmp_path)["anna/images"]
    assert found.subject == "anna"
    assert found.frame_numbers.tolist() == [1, 2]
    expected_HW = np.zeros((8, 10), np.uint8)
    expected_HW[1:4, 2:6] = 2
    expected_HW[:3, 0] = 1
    np.testing.assert_array_equal(found.mask(0), expected_HW)
    np.testing.assert_array_equal(found.mask(1), 0)  # listed without annotations: nothing in view
    assert found.rate_is_assumed, "no time is invented"
    assert found.spacing_mm is None


def test_later_annotations_cover_earlier_ones(tmp_path):
    path = coco(tmp_path, {"segmentation": [SQUARE], "category_id": 3}, {"segmentation": [SQUARE]})
    assert set(np.unique(taken(path, tmp_path)["anna/images"].mask(0))) == {0, 2}


def test_images_elsewhere_and_one_person(tmp_path):
    path = coco(tmp_path / "images-elsewhere", {"segmentation": [SQUARE]}, files=("f_1.png",))
    moved = path.rename(tmp_path / "moved.json")
    with pytest.raises(RecordingError, match=r"1 of the 1 images of .* are not in .*--frames"):
        taken(moved, tmp_path, subject="anna")
    with pytest.raises(RecordingError, match=r"does not say who f_1\.png shows"):
        taken(moved, tmp_path, frames=path.parent)
    assert set(taken(moved, tmp_path, frames=path.parent, subject="anna")) == {"anna/images"}


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"segmentation": []}, "1 annotations without a segmentation, and a box is no mask"),
        ({"bbox": [1, 1, 2, 2]}, "1 annotations without a segmentation"),
        ({"segmentation": [[1, 1, 2, 2]]}, "a polygon of 4 numbers"),
        ({"segmentation": 3}, "neither polygons nor run lengths"),
        ({"segmentation": {"size": [8, 10]}}, "neither polygons nor run lengths"),
        ({"segmentation": {"size": [10, 8], "counts": [80]}}, "10x8 pixels, but the image is 8x10"),
        ({"segmentation": {"size": [8, 10], "counts": [79]}}, "cover 79 pixels; expected 80"),
        ({"segmentation": {"size": [8, 10], "counts": "zz"}}, "no text of COCO"),
        ({"segmentation": {"size": [8, 10], "counts": "023"}}, "cover 5 pixels; expected 80"),
        (
            {"segmentation": [SQUARE], "image_id": 9},
            "annotations of 1 images that it does not list",
        ),
        ({"segmentation": [SQUARE], "category_id": 5}, "uses category 5, which it does not name"),
        ({"segmentation": [SQUARE], "image_id": "x"}, "not a COCO file of segmentations"),
    ],
)
def test_annotations_that_cannot_be_used_are_named(tmp_path, annotation, message):
    path = coco(tmp_path, annotation)
    with pytest.raises(RecordingError, match=rf"instances\.json.* {message}"):
        taken(path, tmp_path)
    assert not (tmp_path / "back").exists(), "nothing is left behind"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"categories": [{"id": 7, "name": "artery"}]},
            "labels that are no structures: artery; expected nerve, vessel",
        ),
        ({"categories": None}, "not a COCO file of segmentations"),
        ({"images": None}, "holds no list of images"),
        ({"images": [{"id": 0}]}, "not a COCO file of segmentations"),
        (
            {"images": [{"id": 0, "file_name": "anna/f_1.png", "height": 9, "width": 10}]},
            "is 8x10 pixels but instances.json says 9x10",
        ),
        (
            {"images": [{"id": 0, "file_name": "../../f.png", "height": 8, "width": 10}]},
            "1 of the 1 images",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, changes, message):
    path = coco(tmp_path, {"segmentation": [SQUARE]}, **changes)
    with pytest.raises(RecordingError, match=message):
        taken(path, tmp_path)


def test_images_that_went_missing_are_counted(tmp_path):
    path = coco(tmp_path, {"segmentation": [SQUARE]})
    (tmp_path / "anna" / "f_2.png").unlink()
    with pytest.raises(RecordingError, match=r"1 of the 2 images .*anna/f_2\.png among them"):
        taken(path, tmp_path)


@given(st.text(max_size=30) | st.from_regex(r'\{"images": \[.{0,20}\]\}'))
@settings(max_examples=60, deadline=None)
def test_garbage_is_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(RecordingError, match=r"garbage\.json"):
        read("coco", ImportRequest(path, NERVE_VESSEL))


def test_what_no_reader_foresees_is_a_sentence(tmp_path, monkeypatch):
    path = coco(tmp_path, {"segmentation": [SQUARE]})
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "deep.json").write_text(f'{{"images": {deep}}}')
    with pytest.raises(RecordingError, match=r"deep\.json cannot be read as COCO"):
        read("coco", ImportRequest(tmp_path / "deep.json", NERVE_VESSEL))
    monkeypatch.setattr("sonotempo.exchange.coco_in.read_grey", lambda path: 1 / 0)
    with pytest.raises(RecordingError, match="the frames of anna/images cannot be read"):
        taken(path, tmp_path)


def test_a_folder_without_a_file(tmp_path):
    with pytest.raises(RecordingError, match=r"holds 0 files ending in \.json"):
        read("coco", ImportRequest(tmp_path, NERVE_VESSEL))


def test_other_programs_read_what_is_written(tmp_path, capsys):
    from pycocotools.coco import COCO

    made = make_recording(tmp_path / "raw", 3)
    export_to("coco", tmp_path / "out", [made])
    found = COCO(str(tmp_path / "out" / "annotations.json"))
    annotation = found.loadAnns(found.getAnnIds(imgIds=[2]))[0]
    runs = found.annToRLE(annotation)
    assert runs["size"] == [40, 48]
    assert annotation["area"] == 40 * 24
    assert annotation["bbox"] == [0, 0, 24, 40]
    assert found.cats[1]["name"] == "nerve"


def test_options_that_it_has_no_use_for(tmp_path):
    with pytest.raises(ConfigError, match=r"COCO has no use for --labels; .*it is for nifti"):
        read("coco", ImportRequest(tmp_path, NERVE_VESSEL, labels=tmp_path))
    with pytest.raises(ConfigError, match="unknown --from 'cocoa'; did you mean 'coco'"):
        read("cocoa", ImportRequest(tmp_path, NERVE_VESSEL))
    with pytest.raises(RecordingError, match="nowhere does not exist; give what COCO exported"):
        read("coco", ImportRequest(tmp_path / "nowhere", NERVE_VESSEL))
