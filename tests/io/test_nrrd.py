"""NRRD, against SimpleITK and pynrrd."""

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from fakes.files import noise
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording


def write(path, pixels_fast_first, **header):
    nrrd.write(str(path), pixels_fast_first, header, index_order="F")
    return path


def cine(tmp_path, frames_THW, name="a.seq.nrrd", **header):
    settings = {"kinds": ["domain", "domain", "list"], "encoding": "gzip"} | header
    return write(tmp_path / name, np.asfortranarray(frames_THW.transpose(2, 1, 0)), **settings)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_a_sequence_of_plus_comes_back_with_its_times(tmp_path, encoding):
    frames = noise(4, 6, 5)
    stamps = {f"Seq_Frame{i:04d}_Timestamp": f"{10 + 0.05 * i}" for i in range(4)}
    recording = open_recording(cine(tmp_path, frames, encoding=encoding, **stamps))
    assert recording.name == "a"
    assert len(recording) == 4
    for i in (3, 0, 2):
        np.testing.assert_array_equal(recording[i].image_HW, frames[i])
    assert recording.timestamps_ns.tolist() == [0, 50_000_000, 100_000_000, 150_000_000]
    assert not recording.rate_is_assumed


@pytest.mark.parametrize("first", [True, False])
def test_a_sequence_of_slicer_comes_back(tmp_path, first):
    frames = noise(3, 6, 5)
    volume = frames.transpose(2, 1, 0)[:, :, None, :]  # x, y, 1, time
    kinds = ["domain", "domain", "domain", "list"]
    units = ["mm", "mm", "mm", "ms"]
    if first:
        volume, kinds, units = (
            np.moveaxis(volume, 3, 0),
            [kinds[3], *kinds[:3]],
            [units[3], *units[:3]],
        )
    path = write(
        tmp_path / "a.seq.nrrd",
        np.asfortranarray(volume),
        kinds=kinds,
        units=units,
        **{"axis 0 index values": "0 40 100"},
    )
    recording = open_recording(path)
    for i, frame in enumerate(recording):
        np.testing.assert_array_equal(frame.image_HW, frames[i])
    assert recording.timestamps_ns.tolist() == [0, 40_000_000, 100_000_000]


def test_an_image_of_simpleitk_comes_back_with_its_spacing(tmp_path):
    pixels = noise(6, 5)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((0.1, 0.2))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    recording = open_recording(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(recording[0].image_HW, pixels)
    assert recording.spacing_mm == pytest.approx((0.2, 0.1))


def test_colour_becomes_grey(tmp_path):
    grey = noise(6, 5)
    colour = np.stack([grey.T] * 3)  # channel, x, y
    path = write(
        tmp_path / "a.nrrd", np.asfortranarray(colour), kinds=["RGB-color", "domain", "domain"]
    )
    np.testing.assert_array_equal(open_recording(path)[0].image_HW, grey)


def test_a_mirrored_sequence_is_turned(tmp_path):
    frames = noise(2, 6, 5)
    path = cine(tmp_path, frames, UltrasoundImageOrientation="UN")
    np.testing.assert_array_equal(open_recording(path)[1].image_HW, frames[1, ::-1, ::-1])


def test_a_detached_header_names_its_pixels(tmp_path):
    frames = noise(2, 6, 5)
    path = cine(tmp_path, frames, "a.nhdr", encoding="raw")
    recording = open_recording(path)
    np.testing.assert_array_equal(recording[1].image_HW, frames[1])
    assert [file.suffix for file in recording.files] == [".nhdr", ".raw"]
    recording.files[1].unlink()
    with pytest.raises(RecordingError, match=r"in 'a.raw', which is missing"):
        open_recording(path)


def test_a_volume_is_refused(tmp_path):
    volume = sitk.GetImageFromArray(noise(4, 6, 5))
    volume.SetSpacing((0.1, 0.1, 0.5))
    sitk.WriteImage(volume, str(tmp_path / "a.nrrd"))
    with pytest.raises(RecordingError, match=r"holds volumes .*not images over time"):
        open_recording(tmp_path / "a.nrrd")


def test_more_than_8_bits_are_refused(tmp_path):
    path = write(tmp_path / "a.nrrd", np.asfortranarray(noise(6, 5).astype(np.uint16)))
    with pytest.raises(RecordingError, match="white level is unknown"):
        open_recording(path)


@pytest.mark.parametrize("cut", [20, 2000])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_a_file_that_is_cut_short_is_named(tmp_path, encoding, cut):
    path = cine(tmp_path, noise(4, 30, 40), encoding=encoding)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(RecordingError, match=r"a\.seq\.nrrd is cut short"):
        open_recording(path)[3]


def test_what_is_no_nrrd_is_refused(tmp_path):
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0005\nno header")
    with pytest.raises(RecordingError, match="cannot be read as NRRD"):
        open_recording(tmp_path / "a.nrrd")
