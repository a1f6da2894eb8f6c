"""labelme polygons as masks."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from fakes.files import noise
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
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


def saved_with_exif(path, pixels, orientation):
    image = Pillow.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_shapes_drawn_on_a_turned_image_lie_on_what_they_were_drawn_on(tmp_path, orientation):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[2:9, 4:22] = 200
    path = saved_with_exif(tmp_path / "us_3.png", pixels, orientation)
    shown = np.asarray(ImageOps.exif_transpose(Pillow.open(path)))
    rows, columns = (np.flatnonzero(shown.any(axis)) for axis in (1, 0))
    corners = [[int(c), int(r)] for r in rows[[0, -1]] for c in columns[[0, -1]]]
    outline = [corners[0], corners[1], corners[3], corners[2]]
    shape = {"label": "nerve", "shape_type": "polygon", "points": outline}
    content = {"shapes": [shape], "imageHeight": shown.shape[0], "imageWidth": shown.shape[1]}
    (tmp_path / "us_3.json").write_text(json.dumps(content))
    recording = open_recording(tmp_path)
    np.testing.assert_array_equal(recording.mask(0) > 0, recording[0].image_HW > 0)


def test_rectangles_circles_and_masks_enclose_what_labelme_says(tmp_path):
    bitmap = io.BytesIO()
    Pillow.fromarray(np.array([[0, 255], [255, 255]], np.uint8)).save(bitmap, "PNG")
    rectangle = {"label": "nerve", "shape_type": "rectangle", "points": [[2, 3], [6, 5]]}
    circle = {"label": "vessel", "shape_type": "circle", "points": [[20, 10], [20, 14]]}
    mask = {
        "label": "nerve",
        "shape_type": "mask",
        "points": [[10, 15], [11, 16]],
        "mask": base64.b64encode(bitmap.getvalue()).decode(),
    }
    drawn_HW = drawn(tmp_path, rectangle, circle, mask)
    assert np.argwhere(drawn_HW[:8] == 1).min(0).tolist() == [3, 2]
    assert np.argwhere(drawn_HW[:8] == 1).max(0).tolist() == [5, 6]
    assert np.count_nonzero(drawn_HW == 2) == pytest.approx(np.pi * 16, rel=0.4)
    assert drawn_HW[15:17, 10:12].tolist() == [[0, 1], [1, 1]]


def test_a_mask_whose_image_is_damaged_is_named(tmp_path):
    shape = {"label": "nerve", "shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "!"}
    with pytest.raises(RecordingError, match=r"us_3\.json holds a mask whose image cannot be read"):
        drawn(tmp_path, shape)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    content = {"shapes": [square("nerve", 2, 10)]}
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8-sig")
    assert read_shapes(tmp_path / "a.json", (20, 30), NERVE_VESSEL).any()


@pytest.mark.parametrize(
    "names", [["f_1.jpg", "f_2.jpg"], ["still.png"], ["left.bmp", "right.bmp"]]
)
def test_images_of_any_kind_and_name_have_their_shapes(tmp_path, names):
    folder = tmp_path / "data" / "s1"
    folder.mkdir(parents=True)
    for name in names:
        Pillow.fromarray(noise(20, 30)).save(folder / name)
        (folder / name).with_suffix(".json").write_text(
            json.dumps({"shapes": [square("nerve", 2, 10)]})
        )
    found = open_dataset(tmp_path / "data", NERVE_VESSEL)
    assert found.labelled_count == len(names)
    assert all(recording.mask(0).any() for recording in found.recordings)


def test_other_json_beside_an_image_is_no_label(tmp_path):
    Pillow.fromarray(noise(20, 30)).save(tmp_path / "still.png")
    (tmp_path / "still.json").write_text('{"depth_mm": 40}')
    assert open_recording(tmp_path).labelled == ()
