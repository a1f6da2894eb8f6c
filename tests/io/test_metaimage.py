"""MetaImage: stacks, single frames, compressed or not, and the contents of their headers."""

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.files import noise, write_meta
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.io.formats import Request
from sonotempo.io.metaimage import open_metaimage, open_metaimage_frames, read_frame, read_mask


def frames_in(folder, name="seq"):
    return open_metaimage_frames(sorted(folder.glob("*.mhd")), Request(folder, name=name))


@settings(max_examples=25, deadline=None)
@given(
    shape_THW=st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)),
    compressed=st.booleans(),
    is_colour=st.booleans(),
    suffix=st.sampled_from([".mha", ".mhd"]),
    spacing=st.tuples(st.floats(0.01, 0.9), st.floats(0.01, 0.9)),
)
def test_a_stack_comes_back_as_written(shape_THW, compressed, is_colour, suffix, spacing):
    frames = shape_THW[0]
    pixels = noise(*shape_THW, 3) if is_colour else noise(*shape_THW)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"stack{suffix}"
        write_meta(path, pixels, spacing=spacing, compressed=compressed, is_colour=is_colour)
        recording = open_metaimage(Request(path))
        assert len(recording) == frames
        assert recording.spacing_mm == pytest.approx(spacing)
        for i in reversed(range(frames)):
            image = recording[i].image_HW
            assert image.dtype == np.uint8
            if is_colour:
                luma = pixels[i] @ np.array([0.299, 0.587, 0.114])
                np.testing.assert_allclose(image, luma, atol=1)
            else:
                np.testing.assert_array_equal(image, pixels[i])
        assert all(file.is_file() for file in recording.files)
        assert len(recording.files) == (1 if suffix == ".mha" else 2)
        del recording  # Windows removes no file that is mapped


@given(numbers=st.sets(st.integers(0, 40), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_missing_frame_numbers_split_a_recording_into_segments(numbers):
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            write_meta(Path(folder) / f"us_{number}.mhd", noise(4, 5, seed=number))
        recording = frames_in(Path(folder))
        ordered = sorted(numbers)
        assert recording.frame_numbers.tolist() == ordered
        for i, number in enumerate(ordered):
            np.testing.assert_array_equal(recording[i].image_HW, noise(4, 5, seed=number))
        for segment in recording.segments():
            assert [ordered[i] for i in segment] == list(
                range(ordered[segment[0]], ordered[segment[-1]] + 1)
            )
        gaps = sum(b - a != 1 for a, b in pairwise(ordered))
        assert len(recording.segments()) == 1 + gaps
        assert recording.timestamps_ns.tolist() == [
            (number - ordered[0]) * 40_000_000 for number in ordered
        ]


def test_fast_writes_milliseconds(tmp_path):
    for number, stamp in enumerate((1000, 1050, 1101)):
        write_meta(tmp_path / f"us_{number}.mhd", noise(4, 5), Timestamp=stamp)
    assert frames_in(tmp_path).timestamps_ns.tolist() == [0, 50_000_000, 101_000_000]


def test_time_stamps_that_stand_still_say_nothing(tmp_path):
    for number in range(3):
        write_meta(tmp_path / f"us_{number}.mhd", noise(4, 5), Timestamp=0)
    assert frames_in(tmp_path).timestamps_ns.tolist() == [0, 40_000_000, 80_000_000]


def test_plus_writes_seconds_and_marks_invalid_frames(tmp_path):
    keys = {f"Seq_Frame{i:04d}_Timestamp": 10 + i / 8 for i in range(4)}
    keys |= {f"Seq_Frame{i:04d}_ImageStatus": "OK" for i in range(4)}
    keys["Seq_Frame0002_ImageStatus"] = "INVALID"
    pixels = noise(4, 6, 7)
    recording = open_metaimage(Request(write_meta(tmp_path / "a.mha", pixels, **keys)))
    assert recording.frame_numbers.tolist() == [0, 1, 3]
    assert recording.timestamps_ns.tolist() == [0, 125_000_000, 375_000_000]
    np.testing.assert_array_equal(recording[2].image_HW, pixels[3])


def test_spacing_of_one_is_unknown(tmp_path):
    path = write_meta(tmp_path / "a.mha", noise(2, 4, 5), spacing=(1.0, 1.0))
    assert open_metaimage(Request(path)).spacing_mm is None


def test_spacing_is_row_then_column(tmp_path):
    write_meta(tmp_path / "us_0.mhd", noise(4, 5), spacing=(0.1, 0.2))
    assert frames_in(tmp_path).spacing_mm == pytest.approx((0.1, 0.2))


def test_frames_that_disagree_on_spacing_have_none(tmp_path):
    write_meta(tmp_path / "us_0.mhd", noise(4, 5), spacing=(0.1, 0.2))
    write_meta(tmp_path / "us_1.mhd", noise(4, 5), spacing=(0.2, 0.2))
    assert frames_in(tmp_path).spacing_mm is None


def test_two_dimensional_images_may_name_three_spacings(tmp_path):
    pixels = noise(3, 4)
    (tmp_path / "us_7.raw").write_bytes(pixels.tobytes())
    (tmp_path / "us_7.mhd").write_text(
        "NDims = 2\nDimSize = 4 3\nElementType = MET_UCHAR\nElementSpacing = 0.2 0.1 1\n"
        "ElementNumberOfChannels = 1\nOffset = 0 0 0\nImageQuality = good\n"
        "ElementDataFile = us_7.raw\n"
    )
    recording = frames_in(tmp_path)
    assert recording.spacing_mm == (0.1, 0.2)
    np.testing.assert_array_equal(recording[0].image_HW, pixels)


def test_pixels_may_follow_a_header_of_their_own(tmp_path):
    pixels = noise(2, 3, 4)
    (tmp_path / "a.img").write_bytes(b"twelve bytes" + pixels.tobytes())
    for size in ("12", "-1"):
        (tmp_path / "a.mhd").write_text(
            f"NDims = 3\nDimSize = 4 3 2\nElementType = MET_UCHAR\nHeaderSize = {size}\n"
            "ElementDataFile = a.img\n"
        )
        recording = open_metaimage(Request(tmp_path / "a.mhd"))
        np.testing.assert_array_equal(recording[1].image_HW, pixels[1])


def test_missing_pixels_are_named(tmp_path):
    path = write_meta(tmp_path / "us_0.mhd", noise(4, 5))
    (tmp_path / "us_0.raw").unlink()
    with pytest.raises(RecordingError, match=r"us_0\.mhd stores its pixels in 'us_0\.raw', which"):
        open_metaimage(Request(path))
    with pytest.raises(RecordingError, match="copy it into"):
        read_mask(path)


@pytest.mark.parametrize("suffix", [".mhd", ".mha"])
def test_a_short_file_says_how_many_frames_it_holds(tmp_path, suffix):
    path = write_meta(tmp_path / f"a{suffix}", noise(4, 50, 60))
    data = path if suffix == ".mha" else tmp_path / "a.raw"
    data.write_bytes(data.read_bytes()[:-4000])
    with pytest.raises(RecordingError, match="holds 2 of the 4 frames"):
        open_metaimage(Request(path))


def test_a_short_compressed_file_says_so_when_read(tmp_path):
    path = write_meta(tmp_path / "a.mha", noise(4, 50, 60), compressed=True)
    path.write_bytes(path.read_bytes()[:-4000])
    recording = open_metaimage(Request(path))
    with pytest.raises(RecordingError, match=r"a\.mha is cut short: it holds 2 of 4 frames"):
        recording[0]


def test_a_damaged_compressed_file_says_so_when_read(tmp_path):
    path = write_meta(tmp_path / "a.mha", noise(4, 50, 60), compressed=True)
    content = bytearray(path.read_bytes())
    content[-9000:-8000] = bytes(1000)
    path.write_bytes(content)
    recording = open_metaimage(Request(path))
    with pytest.raises(RecordingError, match=r"a\.mha is (damaged|cut short)"):
        recording[0]


def test_a_short_compressed_frame_says_so_when_read(tmp_path):
    path = write_meta(tmp_path / "us_0.mhd", noise(50, 60), compressed=True)
    packed = tmp_path / "us_0.zraw"
    packed.write_bytes(packed.read_bytes()[:100])
    with pytest.raises(RecordingError, match=r"us_0\.zraw is cut short"):
        read_frame(path)


def test_pixels_of_16_bits_are_refused(tmp_path):
    path = write_meta(tmp_path / "a.mha", noise(2, 4, 5).astype(np.uint16))
    with pytest.raises(RecordingError, match=r"MET_USHORT.*convert it to 8 bits"):
        open_metaimage(Request(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a MetaImage file"),
        ("not a header at all\n", "not a MetaImage file"),
        ("DimSize = four 3\nElementDataFile = LOCAL\n", "does not hold numbers"),
        ("NDims = 2\nElementDataFile = LOCAL\n", "DimSize"),
        ("DimSize = 4\nElementDataFile = LOCAL\n", "expected width and height"),
        ("DimSize = 4 3 2 2\nElementDataFile = LOCAL\n", "holds volumes"),
        ("DimSize = 4 3 2\nElementDataFile = LIST\n", "several files"),
        ("DimSize = 4 3 2\nElementDataFile = a%02d.raw 1 2 1\n", "several files"),
        ("DimSize = 4 3\nElementType = MET_UCHAR\nElementDataFile =\n", "is missing"),
    ],
)
def test_headers_that_make_no_sense_are_refused(tmp_path, text, message):
    path = tmp_path / "a.mhd"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        open_metaimage(Request(path))


def test_masks_of_wider_types_are_read_if_their_labels_fit(tmp_path):
    labels = noise(4, 5, high=3).astype(np.int16)
    np.testing.assert_array_equal(read_mask(write_meta(tmp_path / "m.mhd", labels)), labels)
    labels[0, 0] = 300
    with pytest.raises(RecordingError, match="to 300; expected 0 to 255"):
        read_mask(write_meta(tmp_path / "m.mhd", labels))
    with pytest.raises(RecordingError, match="one whole number per pixel"):
        read_mask(write_meta(tmp_path / "m.mhd", labels.astype(np.float32)))


def test_two_files_of_one_frame_are_refused(tmp_path):
    write_meta(tmp_path / "a_1.mhd", noise(4, 5))
    write_meta(tmp_path / "b_1.mhd", noise(4, 5))
    with pytest.raises(RecordingError, match=r"two series, a_1\.mhd and b_1\.mhd"):
        frames_in(tmp_path)


def test_a_compressed_stack_of_real_bone_reads_as_simpleitk_reads_it(real_data):
    path = real_data / "plus-toolkit" / "BoneUltrasound_L14.igs.mha"
    recording = open_metaimage(Request(path))
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert (len(recording), recording.spacing_mm) == (21, None)
    assert recording.timestamps_ns[:2].tolist() == [0, 85_943_000]
    for i in (20, 0, 7):
        np.testing.assert_array_equal(recording[i].image_HW, expected[i])


@pytest.mark.parametrize(
    ("flag", "turn"),
    [
        ("MF", lambda a: a),
        ("XX", lambda a: a),
        ("UF", lambda a: a[:, ::-1]),
        ("MN", lambda a: a[::-1]),
        ("UNA", lambda a: a[::-1, ::-1]),
        ("FM", lambda a: a.T),
        ("FU", lambda a: a.T[:, ::-1]),
        ("NM", lambda a: a.T[::-1]),
        ("NU", lambda a: a.T[::-1, ::-1]),
    ],
)
def test_images_are_turned_from_how_plus_stores_them(tmp_path, flag, turn):
    pixels = noise(3, 4, 6)
    path = write_meta(
        tmp_path / "a.mha", pixels, spacing=(0.2, 0.1), UltrasoundImageOrientation=flag
    )
    recording = open_recording(path)
    np.testing.assert_array_equal(recording[2].image_HW, turn(pixels[2]))
    on_its_side = flag[0] in "FN"
    assert recording.spacing_mm == pytest.approx((0.1, 0.2) if on_its_side else (0.2, 0.1))
    assert recording.stored_as == (flag[:2] if flag != "XX" else "MF")


def test_a_mask_is_turned_with_its_image(tmp_path):
    folder = tmp_path / "s1" / "q"
    image, mask = noise(4, 6), noise(4, 6, seed=1, high=3)
    write_meta(folder / "us_1.mhd", image, UltrasoundImageOrientation="UN")
    write_meta(folder / "us_1_gt.mhd", mask)
    recording = open_recording(folder)
    np.testing.assert_array_equal(recording[0].image_HW, image[::-1, ::-1])
    np.testing.assert_array_equal(recording.mask(0), mask[::-1, ::-1])


def test_pixels_stored_as_text_are_refused(tmp_path):
    header = "ObjectType = Image\nNDims = 2\nBinaryData = False\nDimSize = 3 2\n"
    path = tmp_path / "a.mha"
    path.write_text(f"{header}ElementType = MET_UCHAR\nElementDataFile = LOCAL\n1 2 3 4 5 6")
    with pytest.raises(RecordingError, match="pixels as text"):
        open_recording(path)


def test_the_size_of_an_element_is_its_spacing_if_nothing_else_is_given(tmp_path):
    path = tmp_path / "a.mha"
    header = "NDims = 2\nDimSize = 3 2\nElementSize = 0.1 0.2\nElementType = MET_UCHAR\n"
    path.write_bytes(f"{header}ElementDataFile = LOCAL\n".encode() + bytes(6))
    assert open_recording(path).spacing_mm == (0.2, 0.1)


def test_one_missing_time_stamp_does_not_change_the_rate(tmp_path):
    stamps = {f"Seq_Frame{i:04d}_Timestamp": 0.5 * i for i in (0, 1, 3)}
    recording = open_recording(write_meta(tmp_path / "a.mha", noise(4, 4, 6), **stamps))
    assert (recording.timestamps_ns / 1e6).tolist() == [0, 500, 1000, 1500]


def test_keys_of_three_digits_are_understood(tmp_path):
    stamps = {f"Seq_Frame{i:03d}_Timestamp": 0.1 * i for i in range(3)}
    recording = open_recording(write_meta(tmp_path / "a.mha", noise(3, 4, 6), **stamps))
    assert (recording.timestamps_ns / 1e6).tolist() == [0, 100, 200]


def test_a_recording_without_any_image_is_refused(tmp_path):
    status = {f"Seq_Frame{i:04d}_ImageStatus": "INVALID" for i in range(3)}
    with pytest.raises(RecordingError, match="all of its 3 frames as invalid"):
        open_recording(write_meta(tmp_path / "a.mha", noise(3, 4, 6), **status))


def test_a_stack_without_time_stamps_says_that_its_rate_is_assumed(tmp_path):
    assert open_recording(write_meta(tmp_path / "a.mha", noise(3, 4, 6))).rate_is_assumed


@pytest.mark.parametrize("matrix", ["1e308 0 0 1e308", "nan nan nan nan", "0 0 0 0", "1 2 3"])
def test_a_matrix_of_the_header_is_not_computed_with(tmp_path, matrix):
    path = tmp_path / "us_0.mhd"
    path.write_text(
        "ObjectType = Image\nNDims = 2\nBinaryData = True\nDimSize = 5 4\n"
        f"TransformMatrix = {matrix}\nOffset = 1e308 -1e308\nElementSpacing = 1e308 1e-308\n"
        "ElementType = MET_UCHAR\nElementDataFile = us_0.raw\n"
    )
    (tmp_path / "us_0.raw").write_bytes(bytes(range(20)))
    expected = np.arange(20).reshape(4, 5)
    np.testing.assert_array_equal(read_frame(path), expected)
    np.testing.assert_array_equal(read_mask(path), expected)


@pytest.mark.parametrize("kind", ["b", "B", "h", "H", "i", "I", "q", "Q"])
@pytest.mark.parametrize("is_big", [False, True])
def test_masks_of_every_type_and_byte_order_are_read(tmp_path, kind, is_big):
    labels = noise(4, 5, high=100).astype(kind)
    path = write_meta(tmp_path / "m.mha", labels)
    if is_big:
        head, end, pixels = path.read_bytes().partition(b"LOCAL\n")
        head = head.replace(b"BinaryDataByteOrderMSB = False", b"BinaryDataByteOrderMSB = True")
        assert len(pixels) == labels.nbytes
        path.write_bytes(head + end + labels.byteswap().tobytes())
    np.testing.assert_array_equal(read_mask(path), labels)
