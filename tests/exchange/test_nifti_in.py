"""NIfTI of other programs, and what cannot be used."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from fakes.exchange import export_to, import_from
from fakes.files import noise
from fakes.recordings import make_recording
from sonotempo.errors import RecordingError

NAMES = {"nerve": 1, "vessel": 2}


def pair(folder, shape=(10, 8, 3), *, mask_shape=None, labels=NAMES, image=None, mask=None, **more):
    """An image with its mask, as another program writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in (
        ("a.nii.gz", noise(*shape) if image is None else image),
        ("a_gt.nii.gz", noise(*(mask_shape or shape), high=3) if mask is None else mask),
    ):
        made = nibabel.Nifti1Image(pixels, np.eye(4))
        made.header.set_zooms(more.get("zooms", (1.0,) * pixels.ndim))
        made.header.set_xyzt_units(more.get("length", "unknown"), more.get("time", "unknown"))
        nibabel.save(made, folder / name)
    if labels is not None:
        root = folder.parent
        (root / "dataset.json").write_text(json.dumps(labels), encoding="utf-8")
    return folder.parent


def taken(source, tmp_path, **options):
    return import_from("nifti", source, tmp_path / "back", **options)


@pytest.mark.parametrize("shape", [(10, 8), (10, 8, 3), (10, 8, 1, 3)])
def test_planes_and_series_are_read(tmp_path, shape):
    source = pair(tmp_path / "in" / "anna", shape)
    found = taken(source, tmp_path)["anna/a"]
    assert len(found) == (1 if len(shape) == 2 else 3)
    planes = noise(*shape).reshape(10, 8, -1)
    np.testing.assert_array_equal(found[0].image_HW, planes[..., 0].T)
    np.testing.assert_array_equal(found.mask(0), noise(*shape, high=3).reshape(10, 8, -1)[..., 0].T)
    assert found.spacing_mm is None, "no millimetre is invented"


def test_units_are_converted(tmp_path):
    zooms = {"zooms": (200.0, 300.0, 1.0, 40.0), "length": "micron", "time": "msec"}
    found = taken(pair(tmp_path / "in" / "anna", (10, 8, 1, 3), **zooms), tmp_path)["anna/a"]
    assert found.spacing_mm == pytest.approx((0.3, 0.2))
    assert found.timestamps_ns.tolist() == [0, 40_000_000, 80_000_000]


@pytest.mark.parametrize(
    "labels",
    [
        {"labels": {"background": 0, "Vessel": 1, "nerve": 2}},
        {"labels": {"0": "background", "1": "vessel", "2": "nerve"}},
        {"vessel": 1, "nerve": 2},
    ],
)
def test_label_values_follow_their_names(tmp_path, labels):
    source = pair(tmp_path / "in" / "anna", labels=labels)
    found = taken(source, tmp_path)["anna/a"].mask(0)
    stored = noise(10, 8, 3, high=3)[..., 0].T
    np.testing.assert_array_equal(found, np.array([0, 2, 1], np.uint8)[stored])


def test_names_from_another_file_and_one_image(tmp_path):
    root = pair(tmp_path / "in" / "anna", labels=None)
    names = tmp_path / "names.json"
    names.write_text(json.dumps(NAMES))
    image = root / "anna" / "a.nii.gz"
    with pytest.raises(RecordingError, match="does not say who it shows"):
        taken(image, tmp_path, labels=names)
    assert set(taken(image, tmp_path, labels=names, subject="anna")) == {"anna/a"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_shape": (10, 8, 2)}, r"a_gt\.nii\.gz has the shape \(10, 8, 2\) but a\.nii\.gz"),
        ({"shape": (10, 8, 2, 3)}, "a volume is no cine"),
        ({"labels": None}, r"holds no dataset\.json that names the values .*--labels"),
        ({"labels": {"bone": 1, "nerve": 2}}, "no structures: bone; expected nerve, vessel"),
        ({"labels": {"nerve": 1}}, "holds the label value 2, which has no name"),
        ({"labels": {"nerve": 300}}, "names the value 300; expected 0 to 255"),
        ({"labels": {"nerve": [1, 2]}}, "does not name label values"),
        ({"labels": [1]}, "does not name label values"),
        ({"image": np.full((10, 8, 3), 300, np.int16)}, "values from 300 to 300; expected whole"),
        ({"mask": np.full((10, 8, 3), 0.5, np.float32)}, "values from 0.5 to 0.5; expected whole"),
    ],
)
def test_pairs_that_cannot_be_used_are_named(tmp_path, changes, message):
    source = pair(tmp_path / "in" / "anna", **changes)
    with pytest.raises(RecordingError, match=message):
        taken(source, tmp_path)
    assert not (tmp_path / "back").exists()


def test_images_without_masks_and_nothing_at_all(tmp_path):
    source = pair(tmp_path / "in" / "anna")
    (source / "anna" / "a_gt.nii.gz").unlink()
    with pytest.raises(RecordingError, match=r"1 images have no mask, .*a_gt\.nii\.gz"):
        taken(source, tmp_path)
    (source / "anna" / "a.nii.gz").unlink()
    with pytest.raises(RecordingError, match="holds no NIfTI image with its mask"):
        taken(source, tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 40, 200, -500])
def test_cut_and_foreign_files_are_sentences(tmp_path, keep):
    source = pair(tmp_path / "in" / "anna", (60, 50, 3))
    path = source / "anna" / "a.nii.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RecordingError, match=r"a\.nii\.gz (cannot be read|is damaged)"):
        taken(source, tmp_path)
    path.write_bytes(b"garbage" * 99)
    with pytest.raises(RecordingError, match=r"a\.nii\.gz cannot be read as NIfTI"):
        taken(source, tmp_path)


def test_a_description_of_other_frames_is_refused(tmp_path):
    export_to("nifti", tmp_path / "out", [make_recording(tmp_path / "raw", 3)])
    path = tmp_path / "out" / "anna" / "one.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"frame_numbers": [1]}))
    with pytest.raises(RecordingError, match="describes 1 frames but the image has 3"):
        taken(tmp_path / "out", tmp_path)
    path.write_text(json.dumps(content | {"frame_numbers": "x"}))
    with pytest.raises(RecordingError, match="does not describe its frames"):
        taken(tmp_path / "out", tmp_path)
    path.write_text("garbage")  # of another program
    assert len(taken(tmp_path / "out", tmp_path)["anna/one"]) == 3


@pytest.mark.parametrize("spacing_mm", [(0.25, 0.5), None])
def test_other_programs_read_what_is_written(tmp_path, spacing_mm):
    made = make_recording(tmp_path / "raw", 3, spacing_mm=spacing_mm)
    export_to("nifti", tmp_path / "out", [made])
    image = sitk.ReadImage(str(tmp_path / "out" / "anna" / "one.nii.gz"))
    assert image.GetSize() == (48, 40, 1, 3)
    assert image.GetSpacing() == pytest.approx((*(spacing_mm or (1, 1))[::-1], 1, 0.05))
    assert image.GetDirection() == tuple(np.eye(4).ravel())
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image)[1, 0], made[1].image_HW)
    units = nibabel.load(tmp_path / "out" / "anna" / "one.nii.gz").header.get_xyzt_units()
    assert units == ("mm" if spacing_mm else "unknown", "sec")
