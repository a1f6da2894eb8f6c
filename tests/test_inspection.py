import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fakes.files import noise, write_png
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.inspection import inspection_table, parse_structures
from sonotempo.label_origin import Origin, write_origins
from sonotempo.structures import NERVE_VESSEL


def shown(path, structures=NERVE_VESSEL, layout="auto", frames_root=None):
    console = Console(file=io.StringIO(), width=200)
    console.print(inspection_table(path, structures, layout, frames_root))
    return console.file.getvalue()


def row(text, name):
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return line.removeprefix(name).strip()


def test_a_data_set_is_summed_up(shapes):
    text = shown(shapes)
    assert row(text, "layout") == "annotation_web"
    assert row(text, "recordings") == "4"
    assert row(text, "subjects") == "4"
    assert row(text, "frames") == "24, 24 of them labelled"
    assert row(text, "consecutive frames") == "100.0% of neighbours"
    assert row(text, "structures") == "nerve, vessel"
    assert row(text, "spacing") == "(row, column)  0.3000 x 0.3000 mm"
    assert row(text, "skipped") == "0"


def test_a_single_file_is_described(tmp_path):
    text = shown(write_png(tmp_path / "scan.png", noise(30, 40)))
    assert row(text, "frames") == "1, 0 of them labelled"
    assert row(text, "size") == "30 x 40 pixels (rows x columns)"
    assert row(text, "duration") == "0.00 s"
    assert "unknown" in row(text, "spacing")


@pytest.fixture
def stills(tmp_path):
    root = tmp_path / "data [old]"
    for number in range(3):
        write_png(root / "images" / f"{number}.png", noise(30, 40, seed=number))
        write_png(root / "masks" / f"{number}.png", np.zeros((30, 40), np.uint8))
    return root


def test_stills_have_no_neighbours_and_unknown_subjects(stills):
    text = shown(stills)
    assert row(text, "consecutive frames") == "– (stills)"
    assert row(text, "subjects") == "3 (unknown: every image counts as one)"


def test_names_in_brackets_are_shown_as_they_are(stills):
    write_png(stills / "masks" / "scan[lost].png", np.zeros((30, 40), np.uint8))
    text = shown(stills)
    assert row(text, "skipped") == "1"
    assert "scan[lost].png" in text
    assert "data [old]" in text


def test_only_the_first_of_many_skipped_files_are_listed(stills):
    for number in range(15):
        write_png(stills / "masks" / f"lost-{number:02d}.png", np.zeros((30, 40), np.uint8))
    text = shown(stills)
    assert row(text, "skipped") == "15"
    assert "lost-09.png" in text
    assert "lost-10.png" not in text
    assert "and 5 more" in text


def test_an_unknown_layout_is_answered_with_the_nearest(shapes):
    with pytest.raises(ConfigError, match=r"did you mean 'stills'.*auto"):
        shown(shapes, layout="still")


def test_a_path_without_anything_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="does not exist"):
        shown(tmp_path / "nothing")
    with pytest.raises(RecordingError, match="holds no recordings"):
        shown(tmp_path)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("femoral", ("blood", "bone", "femoral nerve")),
        ("artery, vein", ("artery", "vein")),
        ("artery,", ("artery",)),
    ],
)
def test_structures_are_a_named_set_or_your_own(text, names):
    assert parse_structures(text).names == names


@pytest.mark.parametrize(
    ("text", "words"), [("axilary", "own names"), (",", "empty"), ("a,a", "twice")]
)
def test_structures_that_make_no_sense_are_refused(text, words):
    with pytest.raises(ConfigError, match=words.replace("own names", "unknown structure set")):
        parse_structures(text)


def test_masks_are_counted_by_origin_where_a_file_says_it(tmp_path, shapes):
    assert "origin" not in shown(shapes)
    root = Path(shutil.copytree(shapes, tmp_path / "data"))
    write_origins(
        root / "subject-00" / "sequence-0",
        {1: Origin("propagated"), 2: Origin("model", "frame [v2]", is_accepted=True)},
    )
    said = "22 human, 1 model:frame [v2] (accepted), 1 propagated"
    assert row(shown(root), "masks by origin") == said
