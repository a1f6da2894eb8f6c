from dataclasses import replace

import numpy as np
import pytest

from fakes.files import write_meta, write_png
from fakes.recordings import make_recording
from sonotempo.errors import RecordingError
from sonotempo.evaluation.scoring.external_masks import find_masks, require_complete

SHAPE = (40, 48)


def mask(label=1, shape_HW=SHAPE):
    mask_HW = np.zeros(shape_HW, np.uint8)
    mask_HW[5:20, 5:20] = label
    return mask_HW


@pytest.fixture
def recording(tmp_path):
    """Frames 10 to 13 of anna/one, of which 10 and 12 are labelled."""
    return make_recording(
        tmp_path / "data", 4, numbers=[10, 11, 12, 13], labelled=(0, 2), shape_HW=SHAPE
    )


def found(folder, recording):
    (masks,) = find_masks(folder, [recording]).recordings
    return masks


@pytest.mark.parametrize(
    "names",
    [
        ("anna/one/m_10.png", "anna/one/m_12.png"),
        ("anna/one/masks/10.png", "anna/one/masks/12.png"),
        ("anna/one_masks/US_010.png", "anna/one_masks/US_012.png"),
        ("anna/one/f_10_gt.png", "anna/one/f_12_gt.png"),
    ],
)
def test_masks_are_found_where_the_data_s_own_would_lie(tmp_path, recording, names):
    for label, name in enumerate(names, start=1):
        write_png(tmp_path / "out" / name, mask(label))
    masks = found(tmp_path / "out", recording)
    assert sorted(masks.files) == [0, 2]
    np.testing.assert_array_equal(masks.read(2), mask(2))
    require_complete(tmp_path / "out", [masks])


def test_metaimage_masks_beside_their_images_are_told_from_them(tmp_path, recording):
    for number in (10, 11, 12):
        write_meta(tmp_path / f"out/anna/one/US_{number}.mhd", mask(200))
        write_meta(tmp_path / f"out/anna/one/US_{number}_gt.mhd", mask(2))
    masks = found(tmp_path / "out", recording)
    assert sorted(masks.files) == [0, 1, 2]
    np.testing.assert_array_equal(masks.read(1), mask(2))


def test_masks_without_numbers_need_one_for_every_frame(tmp_path, recording):
    for name in "abcd":
        write_png(tmp_path / f"out/anna/one/{name}.png", mask())
    assert sorted(found(tmp_path / "out", recording).files) == [0, 1, 2, 3]
    (tmp_path / "out/anna/one/a.png").unlink()
    with pytest.raises(RecordingError, match="no mask of these 1 recordings"):
        find_masks(tmp_path / "out", [recording])


def test_a_still_s_mask_has_its_name_and_no_other_is_taken(tmp_path):
    still = make_recording(tmp_path / "data", 1, name="img_0", shape_HW=SHAPE)
    still = replace(still, source=tmp_path / "data/images/img_0.png")
    write_png(tmp_path / "out/masks/other_0.png", mask())
    with pytest.raises(RecordingError, match="no mask"):
        find_masks(tmp_path / "out", [still])
    write_png(tmp_path / "out/masks/img_0.png", mask(2))
    masks = found(tmp_path / "out", still)
    assert masks.files[0].name == "img_0.png"
    (unused,) = find_masks(tmp_path / "out", [still]).unused
    assert unused.name == "other_0.png"


def test_everything_that_is_wrong_is_named_and_counted_at_once(tmp_path):
    recording = make_recording(tmp_path / "data", 6, shape_HW=SHAPE)
    out = tmp_path / "out/anna/one"
    write_png(out / "0.png", mask())
    write_png(out / "1.png", mask(1, (30, 48)))
    write_png(out / "2.png", mask(7))
    write_png(out / "3.png", mask(255))
    (out / "4.png").write_text("no image")
    with pytest.raises(RecordingError) as caught:
        require_complete(tmp_path / "out", [found(tmp_path / "out", recording)])
    said = str(caught.value)
    assert "of 6 labelled frames' masks" in said
    assert "1 of another size" in said
    assert "30x48 pixels but its frame is 40x48" in said
    assert "2 with unknown labels" in said
    assert "label value 7; expected 0 to 2: background, nerve, vessel" in said
    assert "1 unreadable" in said
    assert "1 missing (frame 5 of anna/one)" in said
    assert "write an empty one" in said


def test_only_the_first_of_many_are_named(tmp_path):
    recording = make_recording(tmp_path / "data", 9, shape_HW=SHAPE)
    write_png(tmp_path / "out/anna/one/0.png", mask())
    with pytest.raises(RecordingError, match=r"8 missing \(frame 1 [^)]*frame 3 of anna/one, …\)"):
        require_complete(tmp_path / "out", [found(tmp_path / "out", recording)])


def test_a_folder_that_is_not_there_or_holds_other_names_is_refused(tmp_path, recording):
    with pytest.raises(RecordingError, match="is not a folder"):
        find_masks(tmp_path / "none", [recording])
    write_png(tmp_path / "out/bob/one/1.png", mask())
    with pytest.raises(RecordingError, match=r"expected for example .*anna/one/<frame>\.png"):
        find_masks(tmp_path / "out", [recording])
