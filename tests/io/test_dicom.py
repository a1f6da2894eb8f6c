"""DICOM: every compression, region, spacing, time, and incomplete files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_windowing, pixel_array
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from fakes.files import dicom, encapsulated, noise, step_of, steps, write_dicom, write_video
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.io.dicom import open_dicom
from sonotempo.io.formats import Request
from sonotempo.preprocess import fit_frame
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


def palette_cine(big, entries):
    """A ramp through a palette of 16-bit words, in either byte order."""
    order = ">u2" if big else "<u2"
    data = dicom(np.tile(np.arange(256, dtype=np.uint8), (4, 1)), photometric="PALETTE COLOR")
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big else ExplicitVRLittleEndian
    for colour in ("Red", "Green", "Blue"):
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{colour}PaletteColorLookupTableData", entries.astype(order).tobytes())
        data[f"{colour}PaletteColorLookupTableData"].VR = "OW"
    data["PixelData"].VR = "OB"
    return data


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("shift", [8, 0], ids=["in the upper byte", "in the lower byte"])
def test_a_palette_is_read_in_its_byte_order(tmp_path, big, shift):
    data = palette_cine(big, np.arange(256) << shift)
    image = opened(write_dicom(tmp_path / "a.dcm", data))[0].image_HW
    assert image[0].tolist() == list(range(256))


def test_16_stored_bits_are_shown_through_their_window(tmp_path):
    pixels = noise(6, 8).astype(np.uint16)
    data = dicom(pixels, WindowCenter=127.5, WindowWidth=255)
    shown = opened(write_dicom(tmp_path / "a.dcm", data))[0].image_HW
    # Pydicom's own window, whose output has the range of the stored bits.
    expected = apply_windowing(pixels, data) / 65535 * 255
    np.testing.assert_allclose(shown, expected, atol=0.51)
    assert np.abs(shown.astype(int) - pixels).max() <= 1


def test_a_look_up_table_of_interest_is_applied(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [256, 0, 8]
    table.add_new("LUTData", "US", list(range(255, -1, -1)))
    pixels = noise(6, 8).astype(np.uint16)
    path = write_dicom(tmp_path / "a.dcm", dicom(pixels, VOILUTSequence=[table]))
    np.testing.assert_array_equal(opened(path)[0].image_HW, 255 - pixels)


def test_16_stored_bits_without_a_window_are_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(6, 8).astype(np.uint16)))
    with pytest.raises(RecordingError, match="16 bits without a window"):
        opened(path)


def test_8_bits_are_grey_as_they_are_whatever_the_window(tmp_path):
    pixels = noise(6, 8)
    path = write_dicom(tmp_path / "a.dcm", dicom(pixels, WindowCenter=20, WindowWidth=10))
    np.testing.assert_array_equal(opened(path)[0].image_HW, pixels)


def test_a_missing_number_of_frames_is_counted(tmp_path):
    pixels = noise(5, 6, 8)
    plain, packed = dicom(pixels), dicom(pixels)
    encapsulated(packed, JPEG2000Lossless, compressed_by_pillow(pixels, "JPEG2000"))
    for name, data in (("plain", plain), ("packed", packed)):
        del data.NumberOfFrames
        recording = opened(write_dicom(tmp_path / f"{name}.dcm", data))
        assert len(recording) == 5
        np.testing.assert_array_equal(recording[4].image_HW, pixels[4])


@pytest.mark.parametrize("compressed", [False, True])
def test_more_frames_than_announced_are_refused(tmp_path, compressed):
    pixels = noise(5, 6, 8)
    data = dicom(pixels)
    if compressed:
        encapsulated(data, JPEG2000Lossless, compressed_by_pillow(pixels, "JPEG2000"))
    data.NumberOfFrames = 3
    with pytest.raises(RecordingError, match=r"says that it holds 3 frames .* but it holds 5"):
        opened(write_dicom(tmp_path / "a.dcm", data))


def test_several_fragments_of_a_frame_are_joined(tmp_path):
    pixels = noise(2, 64, 64)
    packed = compressed_by_pillow(pixels, "JPEG2000")
    data = dicom(pixels)
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    data.PixelData = encapsulate(packed, fragments_per_frame=3)
    data["PixelData"].VR = "OB"
    recording = opened(write_dicom(tmp_path / "a.dcm", data))
    assert len(recording) == 2
    np.testing.assert_array_equal(recording[1].image_HW, pixels[1])


def test_colour_that_holds_more_samples_than_it_says_is_refused(tmp_path):
    data = dicom(noise(6, 8, 3), photometric="YBR_FULL_422")
    with pytest.raises(RecordingError, match=r"YBR_FULL_422.*colours are unknown"):
        opened(write_dicom(tmp_path / "a.dcm", data))


@pytest.mark.parametrize("number", [-3, 0])
def test_a_number_of_frames_below_one_is_refused(tmp_path, number):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(6, 8), NumberOfFrames=number))
    with pytest.raises(RecordingError, match=f"says that it holds {number} frames"):
        opened(path)


@pytest.mark.parametrize(
    ("elements", "expected_ms"),
    [
        # The pointer decides.
        (
            {"FrameTimeVector": [0, 1, 1], "FrameTime": 50, "FrameIncrementPointer": 0x00181063},
            [0, 50, 100],
        ),
        (
            {"FrameTimeVector": [0, 40, 60], "FrameTime": 1, "FrameIncrementPointer": 0x00181065},
            [0, 40, 100],
        ),
        ({"FrameTimeVector": [40, 60]}, [0, 40, 100]),  # the first increment is left out
        ({"FrameTimeVector": [0, 40, 60, 70, 80]}, [0, 40, 100]),  # too long
    ],
)
def test_increments_are_those_that_the_file_points_to(tmp_path, elements, expected_ms):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(3, 4, 5), **elements))
    recording = opened(path)
    assert (recording.timestamps_ns / 1e6).tolist() == expected_ms
    assert not recording.rate_is_assumed


def test_the_aspect_of_pixels_is_used_where_spacing_is_unknown(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(3, 40, 40), PixelAspectRatio=[2, 1]))
    recording = opened(path)
    assert recording.pixel_aspect == recording[0].pixel_aspect == 2
    assert fit_frame(recording[0], 32).scaled_rows == 64


def test_a_volume_is_refused(tmp_path):
    data = dicom(noise(4, 6, 8))
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.6.2"
    with pytest.raises(RecordingError, match="holds a volume"):
        opened(write_dicom(tmp_path / "a.dcm", data))


def test_a_file_without_pixels_is_not_called_cut_short(tmp_path):
    data = dicom(noise(6, 8))
    del data.PixelData
    with pytest.raises(RecordingError, match="holds no pixel data"):
        opened(write_dicom(tmp_path / "a.dcm", data))


def test_any_suffix_will_do_if_the_file_has_the_mark(tmp_path):
    path = write_dicom(tmp_path / "US_1.ima", dicom(noise(3, 6, 8)))
    assert len(open_recording(path)) == 3


@pytest.mark.parametrize(("suffix", "codec", "syntax"), [(".mp4", "h264", MPEG4HP41)])
def test_a_video_stream_comes_back_with_area_and_time(tmp_path, suffix, codec, syntax):
    frames = steps(5)
    stream = write_video(tmp_path / f"a{suffix}", frames, codec)
    item = region()
    data = dicom(frames, FrameTime=25, SequenceOfUltrasoundRegions=[item], PatientID="p1")
    encapsulated(data, syntax, [stream.read_bytes()])
    recording = opened(write_dicom(tmp_path / "a.dcm", data))
    assert [step_of(frame.image_HW) for frame in recording] == list(range(5))
    assert (recording.timestamps_ns / 1e6).tolist() == [0, 25, 50, 75, 100]
    assert recording.spacing_mm == pytest.approx((0.2, 0.1))
    assert recording.subject == "p1"


def test_a_video_stream_that_is_none_names_the_file(tmp_path):
    data = encapsulated(dicom(noise(5, 6, 8)), MPEG4HP41, [bytes(1000)])
    with pytest.raises(RecordingError, match=r"a\.dcm cannot be read as a video"):
        opened(write_dicom(tmp_path / "a.dcm", data))


@pytest.mark.parametrize(
    "name", ["examples_palette.dcm", "examples_ybr_color.dcm", "examples_rgb_color.dcm"]
)
def test_real_colour_files_have_pydicoms_grey(name):
    path = in_wheel(name)
    recording = opened(path)
    header = dcmread(path)
    index = len(recording) - 1
    pixels = pixel_array(path, index=index)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, header) >> 8
    expected = np.array(Pillow.fromarray(pixels.astype(np.uint8)).convert("L"))
    np.testing.assert_array_equal(recording[index].image_HW, expected)
