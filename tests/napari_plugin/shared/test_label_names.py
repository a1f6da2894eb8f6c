"""What label values are called."""

import json

import numpy as np
import pytest

from fakes.files import noise, write_meta, write_png
from fakes.shapes import write_shapes
from napari_sonotempo.shared.label_names import metadata_lines, named_structures
from sonotempo.errors import RecordingError
from sonotempo.structures import AXILLARY, FEMORAL, NERVE_VESSEL


def test_unnamed_labels_are_called_by_their_numbers(tmp_path):
    write_shapes(tmp_path, 1, 3, 32, seed=0)
    assert named_structures(tmp_path).names == ("label 1", "label 2")


@pytest.mark.parametrize("place", ["subject-00/sequence-0", "subject-00", "."])
def test_metadata_in_the_folder_or_above_names_the_labels(tmp_path, place):
    write_shapes(tmp_path, 1, 1, 32, seed=0)
    lines = ["Probe: L15", *metadata_lines(AXILLARY)]
    (tmp_path / place / "metadata.txt").write_text("\n".join(lines))
    assert named_structures(tmp_path / "subject-00" / "sequence-0") is AXILLARY


def test_names_of_ones_own_are_taken(tmp_path):
    (tmp_path / "metadata.txt").write_text("Label 2: vein, deep\nlabel 1 : artery\n")
    assert named_structures(tmp_path).names == ("artery", "vein, deep")


def test_a_gap_in_the_names_is_an_error(tmp_path):
    (tmp_path / "metadata.txt").write_text("label 1: artery\nlabel 3: vein\n")
    with pytest.raises(RecordingError, match="names the labels 1, 3; expected every number from 1"):
        named_structures(tmp_path)


def test_a_simulated_cohort_says_its_procedure(tmp_path):
    (tmp_path / "cohort.json").write_text(json.dumps({"procedure": "femoral"}))
    assert named_structures(tmp_path) is FEMORAL


@pytest.mark.parametrize("content", ["[]", "{", '{"procedure": "knee"}', "{}"])
def test_another_programs_file_of_that_name_says_nothing(tmp_path, content):
    (tmp_path / "cohort.json").write_text(content)
    (tmp_path / "metadata.txt").write_bytes(b"\xff\xfe")
    assert named_structures(tmp_path) is NERVE_VESSEL


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["Ulnar nerve", "blood"], AXILLARY.names),
        (["tendon", "bone"], ("tendon", "bone")),
        (["2", "1"], ("label 1", "label 2")),
    ],
)
def test_polygons_bring_their_own_names(tmp_path, labels, names):
    write_png(tmp_path / "us_1.png", noise(20, 30))
    shapes = [{"label": label, "points": [[1, 1], [5, 1], [5, 5]]} for label in labels]
    (tmp_path / "us_1.json").write_text(json.dumps({"shapes": shapes}))
    assert named_structures(tmp_path).names == names


def test_a_file_has_the_names_that_a_user_would_draw_with(tmp_path):
    path = write_meta(tmp_path / "cine.mha", np.zeros((3, 20, 30), np.uint8))
    assert named_structures(path) is NERVE_VESSEL
