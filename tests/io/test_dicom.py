"""DICOM: every compression, region, spacing, time, and incomplete files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from fakes.files import dicom, encapsulated, noise, write_dicom
from sonotempo.errors import RecordingError
from sonotempo.io.dicom import open_dicom
from sonotempo.io.formats import Request
from sonotempo.recording import Box


def opened(path, **options):
    return open_dicom(Request(Path(path), **options))


def in_wheel(name):
    """A file that travels in pydicom's wheel; nothing is downloaded."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    return Path(path)


def region(*, corners=(10, 4, 29, 19), units=3, delta=(0.02, 0.01), kind=(1, 1)):
    """A region with corners x0, y0, x1, y1 and centimetres a pixel as (row, column)."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = kind
    item.RegionLocationMinX0, item.RegionLocationMinY0 = corners[:2]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = corners[2:]
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaY, item.PhysicalDeltaX = delta
    return item


def with_regions(tmp_path, *regions, **elements):
    data = dicom(noise(24, 32), SequenceOfUltrasoundRegions=list(regions), **elements)
    return opened(write_dicom(tmp_path / "a.dcm", data))


def compressed_by_pillow(frames, kind, **options):
    packed = []
    for frame in frames:
        buffer = io.BytesIO()
        Pillow.fromarray(frame).save(buffer, kind, **options)
        packed.append(buffer.getvalue())
    return packed


def test_uncompressed_frames_come_back_as_written(tmp_path):
    pixels = noise(5, 24, 32)
    recording = opened(write_dicom(tmp_path / "a.dcm", dicom(pixels)))
    assert len(recording) == 5
    for i in (4, 0, 2):
        np.testing.assert_array_equal(recording[i].image_HW, pixels[i])


def test_implicit_value_types_come_back_as_written(tmp_path):
    pixels = noise(2, 24, 32)
    data = dicom(pixels)
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    np.testing.assert_array_equal(
        opened(write_dicom(tmp_path / "a.dcm", data))[1].image_HW, pixels[1]
    )


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_lossless_compression_by_pydicom(tmp_path, syntax):
    pixels = noise(3, 24, 32)
    data = dicom(pixels)
    data.compress(syntax)
    recording = opened(write_dicom(tmp_path / "a.dcm", data))
    for i in (2, 0, 1):
        np.testing.assert_array_equal(recording[i].image_HW, pixels[i])


@pytest.mark.parametrize("has_bot", [True, False])
def test_jpeg_2000_with_and_without_a_table_of_offsets(tmp_path, has_bot):
    pixels = noise(3, 24, 32)
    packed = compressed_by_pillow(pixels, "JPEG2000", no_jp2=True)
    data = encapsulated(dicom(pixels), JPEG2000Lossless, packed, has_bot=has_bot)
    recording = opened(write_dicom(tmp_path / "a.dcm", data))
    for i in (2, 0, 1):
        np.testing.assert_array_equal(recording[i].image_HW, pixels[i])


def test_jpeg_baseline(tmp_path):
    pixels = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], 32, axis=2)
    pixels = np.concatenate([pixels, pixels[:, ::-1]])
    packed = compressed_by_pillow(pixels, "JPEG", quality=95)
    data = encapsulated(dicom(pixels), JPEGBaseline8Bit, packed)
    recording = opened(write_dicom(tmp_path / "a.dcm", data))
    np.testing.assert_allclose(recording[1].image_HW, pixels[1], atol=4)


@pytest.mark.parametrize(
    ("name", "shape", "frames"),
    [
        ("examples_ybr_color.dcm", (240, 320), 30),  # JPEG baseline
        ("examples_jpeg2k.dcm", (480, 640), 1),
        ("examples_palette.dcm", (350, 800), 1),
        ("examples_rgb_color.dcm", (240, 320), 1),
        ("ExplVR_BigEnd.dcm", (60, 80), 1),
        ("SC_rgb_jpeg_gdcm.dcm", (100, 100), 1),  # JPEG lossless, process 14
        ("JPEGLSNearLossless_08.dcm", (45, 10), 1),
        ("SC_rgb_jls_lossy_line.dcm", (100, 100), 1),
        ("SC_rgb_rle_2frame.dcm", (100, 100), 2),
        ("SC_ybr_full_422_uncompressed.dcm", (100, 100), 1),
    ],
)
def test_files_of_pydicom_open(name, shape, frames):
    path = in_wheel(name)
    recording = opened(path)
    assert len(recording) == frames
    last = recording[frames - 1].image_HW
    assert last.shape == shape
    assert last.dtype == np.uint8
    expected = dcmread(path).pixel_array
    if name in ("examples_rgb_color.dcm", "SC_rgb_jpeg_gdcm.dcm"):
        luma = expected @ np.array([0.299, 0.587, 0.114])
        np.testing.assert_allclose(last, luma, atol=1)
    assert last.std() > 5


def test_the_colours_of_a_palette_become_grey(tmp_path):
    pixels = np.array([[0, 1, 2]], np.uint8)
    lut = np.zeros(256, np.uint16)
    lut[1:3] = 0x8000, 0xFF00
    elements = {}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{colour}PaletteColorLookupTableData"] = lut.tobytes()
    data = dicom(pixels, photometric="PALETTE COLOR", **elements)
    assert opened(write_dicom(tmp_path / "a.dcm", data))[0].image_HW.tolist() == [[0, 128, 255]]


def test_inverted_grey_is_turned_round(tmp_path):
    pixels = noise(4, 6)
    path = write_dicom(tmp_path / "a.dcm", dicom(pixels, photometric="MONOCHROME1"))
    np.testing.assert_array_equal(opened(path)[0].image_HW, 255 - pixels)


def test_twelve_bits_keep_the_upper_eight(tmp_path):
    pixels = np.array([[0, 16, 2048, 4095]], np.uint16)
    path = write_dicom(tmp_path / "a.dcm", dicom(pixels, bits=12))
    assert opened(path)[0].image_HW.tolist() == [[0, 1, 128, 255]]


def test_area_and_spacing_come_from_the_largest_region_of_tissue(tmp_path):
    recording = with_regions(
        tmp_path,
        region(corners=(0, 0, 3, 3), delta=(1, 1)),
        region(kind=(4, 10), corners=(0, 0, 31, 23), delta=(1, 1)),  # a trace, not tissue
        region(),
    )
    assert recording.area == Box(4, 10, 20, 30)
    assert recording.spacing_mm == pytest.approx((0.2, 0.1))
    assert recording[0].area == recording.area


def test_a_region_beyond_the_image_is_cut_and_its_spacing_is_unknown(tmp_path):
    recording = with_regions(tmp_path, region(corners=(10, 4, 63, 47)))
    assert recording.area == Box(4, 10, 24, 32)
    assert recording.spacing_mm is None


def test_a_corner_one_pixel_too_far_keeps_its_spacing(tmp_path):
    recording = with_regions(tmp_path, region(corners=(0, 0, 32, 24)))
    assert recording.area == Box(0, 0, 24, 32)
    assert recording.spacing_mm == pytest.approx((0.2, 0.1))


@pytest.mark.parametrize(
    "odd", [region(units=0), region(delta=(0, 0)), region(units=4, delta=(0.01, 0.01))]
)
def test_spacing_of_unknown_unit_is_unknown(tmp_path, odd):
    assert with_regions(tmp_path, odd).spacing_mm is None


@pytest.mark.parametrize(
    "odd", [region(corners=(40, 30, 50, 40)), region(corners=(9, 9, 9, 9)), Dataset()]
)
def test_regions_that_show_nothing_are_left_out(tmp_path, odd):
    recording = with_regions(tmp_path, odd, PixelSpacing=[0.3, 0.4])
    assert recording.area is None
    assert recording.spacing_mm == (0.3, 0.4)


@pytest.mark.parametrize(
    ("elements", "expected_ms"),
    [
        ({"FrameTime": 20, "CineRate": 10}, [0, 20, 40]),
        ({"FrameTimeVector": [0, 30, 50], "FrameTime": 20}, [0, 30, 80]),
        ({"FrameTimeVector": [0, 30], "FrameTime": 20}, [0, 20, 40]),
        ({"FrameTime": 0, "CineRate": 50}, [0, 20, 40]),
        ({"RecommendedDisplayFrameRate": 20}, [0, 50, 100]),
        ({"FrameTimeVector": [0, 0, 0]}, [0, 40, 80]),
        ({}, [0, 40, 80]),
    ],
)
def test_time_stamps_come_from_the_most_exact_element(tmp_path, elements, expected_ms):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(3, 4, 5), **elements))
    assert (opened(path).timestamps_ns / 1e6).tolist() == expected_ms


def test_the_subject_is_the_patient_or_else_the_folder(tmp_path):
    named = write_dicom(tmp_path / "p7" / "a.dcm", dicom(noise(4, 5), PatientID="  s 3 "))
    assert opened(named).subject == "s 3"
    assert opened(named, subject="x", name="y").subject == "x"
    nameless = write_dicom(tmp_path / "p7" / "b.dcm", dicom(noise(4, 5), PatientID=""))
    assert opened(nameless).subject == "p7"


def test_a_real_cine_opens_with_region_and_time():
    recording = opened(in_wheel("examples_ybr_color.dcm"))
    assert recording.subject == "204"
    assert recording.area == Box(31, 84, 240, 320)
    assert recording.timestamps_ns[:2].tolist() == [0, 33_333_000]


@pytest.mark.parametrize("has_bot", [True, False])
@pytest.mark.parametrize("cut", [1, 400, 1500])
def test_a_compressed_file_cut_short_says_how_many_frames_are_whole(tmp_path, has_bot, cut):
    pixels = noise(3, 24, 32)
    packed = compressed_by_pillow(pixels, "JPEG2000", no_jp2=True)
    data = encapsulated(dicom(pixels), JPEG2000Lossless, packed, has_bot=has_bot)
    path = write_dicom(tmp_path / "a.dcm", data)
    end = path.stat().st_size - 8  # the closing delimiter may be missing
    path.write_bytes(path.read_bytes()[: end - cut])
    whole = 2 if cut < 900 else 1
    with pytest.raises(RecordingError, match=rf"a\.dcm is cut short: only {whole} of its 3 frames"):
        opened(path)


def test_an_uncompressed_file_cut_short_says_how_many_frames_are_whole(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(3, 24, 32)))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(RecordingError, match="only 1 of its 3 frames are complete; copy"):
        opened(path)


def test_a_file_cut_in_its_header_is_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(3, 24, 32)))
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(RecordingError, match=r"a\.dcm"):
        opened(path)


def test_a_damaged_frame_is_named_and_the_others_stay_readable(tmp_path):
    pixels = noise(3, 24, 32)
    packed = compressed_by_pillow(pixels, "JPEG2000", no_jp2=True)
    packed[1] = bytes(len(packed[1]))
    data = encapsulated(dicom(pixels), JPEG2000Lossless, packed)
    recording = opened(write_dicom(tmp_path / "a.dcm", data))
    with pytest.raises(RecordingError, match=r"frame 1 of .*a\.dcm cannot be decoded"):
        recording[1]
    np.testing.assert_array_equal(recording[2].image_HW, pixels[2])


def test_deflated_files_are_refused(tmp_path):
    data = dicom(noise(4, 5))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(RecordingError, match=r"deflated .*rewrite it uncompressed"):
        opened(write_dicom(tmp_path / "a.dcm", data))


def test_compression_that_no_decoder_reads_is_refused(tmp_path):
    data = encapsulated(dicom(noise(4, 5)), "1.2.840.10008.1.2.4.201", [b"1234"])  # HTJ2K
    with pytest.raises(RecordingError, match=r"compressed with High-Throughput JPEG 2000"):
        opened(write_dicom(tmp_path / "a.dcm", data))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rtplan.dcm", "holds no image"),
        ("CT_small.dcm", "16 bits, signed; expected 8 to 16 unsigned bits"),
        ("no_meta.dcm", "not a DICOM file: the mark 'DICM'"),
    ],
)
def test_files_that_are_no_ultrasound_are_refused(name, message):
    with pytest.raises(RecordingError, match=message):
        opened(in_wheel(name))


def test_what_is_no_dicom_is_refused(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"this is no DICOM file" * 20)
    with pytest.raises(RecordingError, match=r"a\.dcm is not a DICOM file: the mark"):
        opened(path)
