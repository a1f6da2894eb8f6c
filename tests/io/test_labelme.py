"""labelme polygons as masks."""

import json

import numpy as np
import pytest

from sonotempo.errors import RecordingError
from sonotempo.io.labelme import read_shapes
from sonotempo.structures import NERVE_VESSEL


def square(label, first, last, kind="polygon"):
    corners = [[first, first], [last, first], [last, last], [first, last]]
    return {"label": label, "points": corners, "shape_type": kind}


def drawn(tmp_path, *shapes, **content):
    path = tmp_path / "us_3.json"
    path.write_text(json.dumps({"version": "4.5.6", "shapes": shapes, **content}))
    return read_shapes(path, (20, 30), NERVE_VESSEL)


def test_later_shapes_cover_earlier_ones(tmp_path):
    mask = drawn(
        tmp_path, square("Nerve", 2, 10), square("2", 8, 12), imageHeight=20, imageWidth=30
    )
    assert mask.shape == (20, 30)
    assert (mask[4, 4], mask[9, 9], mask[12, 12], mask[15, 15]) == (1, 2, 2, 0)
    assert np.count_nonzero(mask == 2) == 25


@pytest.mark.parametrize(
    ("shapes", "content", "message"),
    [
        ([square("bone", 2, 10)], {}, "label 'bone', but the structures are named nerve, vessel"),
        ([square("0", 2, 10)], {}, "label '0'"),
        ([square("nerve", 2, 10, "linestrip")], {}, "holds a linestrip, which encloses no area"),
        ([{"label": "nerve", "points": [[1, 1], [2, 2]]}], {}, "polygon of 2 points"),
        ([{"label": "nerve", "points": [[1, "x"]] * 3}], {}, "not pairs of numbers"),
        ([{"label": "nerve"}], {}, "points are not pairs of numbers"),
        ([{"points": [[1, 1]] * 3}], {}, "not a labelme file"),
        ([], {"imageHeight": 10, "imageWidth": 30}, "an image of 10x30 .* its image is 20x30"),
    ],
)
def test_what_cannot_be_drawn_is_named(tmp_path, shapes, content, message):
    with pytest.raises(RecordingError, match=rf"us_3\.json .*{message}"):
        drawn(tmp_path, *shapes, **content)


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", "\xff"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RecordingError, match=r"a\.json is not a labelme file"):
        read_shapes(path, (20, 30), NERVE_VESSEL)
