import io
import zipfile

import numpy as np
import pytest

from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.mask_files import DrawnMasks, mask_path, read_masks, write_masks

MASKS = DrawnMasks(
    "anna/one",
    np.array([3, 4, 9]),
    np.random.default_rng(0).integers(0, 3, (3, 8, 8)).astype(np.uint8),
)


def test_masks_come_back_as_they_were(tmp_path):
    path = write_masks(tmp_path, MASKS)
    assert path == tmp_path / "masks" / "anna__one.npz"
    assert [file.name for file in path.parent.iterdir()] == ["anna__one.npz"]
    back = read_masks(tmp_path, "anna/one")
    np.testing.assert_array_equal(back.masks_TSS, MASKS.masks_TSS)
    assert back.frame_numbers.tolist() == [3, 4, 9]
    np.testing.assert_array_equal(back.by_number()[9], MASKS.masks_TSS[2])


def test_missing_masks_say_how_to_get_them_and_keep_the_training(tmp_path):
    with pytest.raises(SonotempoError, match=r"finished\.json and run .* keeps the trained"):
        read_masks(tmp_path, "anna/one")


def test_names_that_share_a_file_are_told_apart(tmp_path):
    write_masks(tmp_path, MASKS)
    with pytest.raises(SonotempoError, match="'anna/one', not of 'anna__one'"):
        read_masks(tmp_path, "anna__one")


@pytest.mark.parametrize("content", ["text", "other", "pickle", "shape"])
def test_files_that_hold_something_else_are_refused(tmp_path, content):
    path = mask_path(tmp_path, "anna/one")
    path.parent.mkdir()
    match content:
        case "text":
            path.write_text("hello")
        case "other":
            np.savez(path, a=np.zeros(3))
        case "pickle":
            np.savez(path, masks_TSS=np.array([{}]), frame_numbers=np.zeros(1))
        case "shape":
            np.savez(
                path,
                masks_TSS=np.zeros((2, 8, 8), np.uint8),
                frame_numbers=np.zeros(3, np.int64),
                recording=np.array("anna/one"),
            )
    with pytest.raises(SonotempoError, match="score"):
        read_masks(tmp_path, "anna/one")


@pytest.mark.parametrize("frames", [1 << 10, 1 << 40])
def test_masks_that_announce_more_than_they_hold_need_no_memory(tmp_path, frames):
    path = mask_path(tmp_path, "anna/one")
    path.parent.mkdir(parents=True, exist_ok=True)
    header = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (frames, 1024, 1024)}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("masks_TSS.npy", header.getvalue())
    with pytest.raises(SonotempoError, match="announces more than it holds"):
        read_masks(tmp_path, "anna/one")


def test_masks_above_the_limit_are_refused(tmp_path, monkeypatch):
    write_masks(tmp_path, DrawnMasks("anna/one", np.arange(3), np.zeros((3, 9, 9), np.uint8)))
    monkeypatch.setenv("SONOTEMPO_MAX_MASK_BYTES", "100")
    with pytest.raises(SonotempoError, match="SONOTEMPO_MAX_MASK_BYTES"):
        read_masks(tmp_path, "anna/one")
