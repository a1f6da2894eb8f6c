"""What a header asks for is checked before it is allocated; limits can be raised."""

import contextlib
import struct
import tracemalloc
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

from fakes.files import (
    dicom,
    encapsulated,
    noise,
    steps,
    write_clarius,
    write_dicom,
    write_png,
    write_video,
)
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.io import open_recording
from sonotempo.io.limits import limits

_MB = 1 << 20


@pytest.fixture(autouse=True)
def memory():
    """Nothing here may need more than a few megabytes."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * _MB


def read(path):
    return [frame.image_HW.shape for frame in open_recording(path)]


def meta(path, size, packed, **fields):
    lines = [f"{key} = {value}" for key, value in fields.items()]
    head = [f"NDims = {len(size.split())}", f"DimSize = {size}", "ElementType = MET_UCHAR", *lines]
    text = "\n".join([*head, "CompressedData = True", "ElementDataFile = LOCAL", ""])
    path.write_bytes(text.encode() + packed)
    return path


def nrrd(path, sizes, packed, encoding="gzip"):
    text = f"NRRD0004\ntype: uchar\ndimension: {len(sizes.split())}\nsizes: {sizes}\n"
    path.write_bytes(f"{text}kinds: domain domain list\nencoding: {encoding}\n\n".encode() + packed)
    return path


BOMB = zlib.compress(bytes(64 * _MB), 9)


@pytest.mark.parametrize("write", [meta, nrrd])
def test_a_stream_is_unpacked_no_further_than_its_header_says(tmp_path, write):
    path = write(tmp_path / ("a.mha" if write is meta else "a.nrrd"), "8 8 3", BOMB)
    assert read(path) == [(8, 8)] * 3


@pytest.mark.parametrize("write", [meta, nrrd])
@pytest.mark.parametrize(
    ("size", "name"),
    [
        ("8 8 30000000", "FRAMES"),
        ("100000 100000 2", "FRAME_PIXELS"),
        ("4000 4000 99999", "UNPACKED"),
    ],
)
def test_a_header_that_asks_for_too_much_is_refused(tmp_path, write, size, name):
    path = write(tmp_path / ("a.mha" if write is meta else "a.nrrd"), size, BOMB)
    with pytest.raises(RecordingError, match=rf"SONOTEMPO_MAX_{name}\w* to a larger number"):
        read(path)


def test_too_little_temporary_space_is_said_before_it_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(RecordingError, match="MB of temporary space"):
        read(meta(tmp_path / "a.mha", "4096 4096 2", BOMB))


@pytest.mark.parametrize("mode", ["P", "L", "1"])
def test_a_large_image_is_refused_from_its_header(tmp_path, mode):
    # 13000 x 13000 pixels of one colour are a few kilobytes.
    path = tmp_path / "a.png"
    rows = zlib.compress(bytes(1000))
    depth, colour = {"P": (8, 3), "L": (8, 0), "1": (1, 0)}[mode]
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 13000, 13000, depth, colour, 0, 0, 0)),
        *([(b"PLTE", bytes(768))] if mode == "P" else []),
        (b"IDAT", rows),
        (b"IEND", b""),
    ]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )
    with pytest.raises(RecordingError, match="frames of 13000x13000 pixels, and the limit is"):
        read(path)


def test_a_chunk_that_announces_more_than_its_file_holds_needs_no_memory(tmp_path):
    path = write_png(tmp_path / "a.png", noise(24, 32))
    content = path.read_bytes()
    at = content.index(b"IDAT") - 4
    path.write_bytes(content[:at] + b"\x7f\xff\xff\xff" + content[at + 4 :])
    with contextlib.suppress(RecordingError):
        read(path)


def test_every_page_of_a_stack_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("SONOTEMPO_MAX_FRAME_PIXELS", "1000")
    first, second = (Pillow.fromarray(noise(*shape)) for shape in ((10, 10), (100, 100)))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    recording = open_recording(tmp_path / "a.tif")
    assert recording[0].image_HW.shape == (10, 10)
    with pytest.raises(RecordingError, match="SONOTEMPO_MAX_FRAME_PIXELS"):
        recording[1]


@pytest.mark.parametrize("shape", [(3000, 3000), (16, 64)])
def test_a_compressed_frame_that_is_not_as_its_file_says_is_refused_before_decoding(
    tmp_path, shape
):
    picture = tmp_path / "frame.jpg"
    write_png(picture, np.zeros(shape, np.uint8))
    data = encapsulated(dicom(noise(1, 32, 32)), JPEGBaseline8Bit, [picture.read_bytes()])
    path = write_dicom(tmp_path / "a.dcm", data)
    with pytest.raises(RecordingError, match=rf"has {shape[0]}x{shape[1]}, but the header"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Rows": 65535, "Columns": 65535}, "FRAME_PIXELS"),
        ({"NumberOfFrames": 2**31 - 1}, "SONOTEMPO_MAX_FRAMES"),
        ({"BitsAllocated": 32}, "in 32 bits"),
        ({"BitsAllocated": 64, "BitsStored": 16}, "in 64 bits"),
        ({"NumberOfFrames": -3}, "-3 frames"),
    ],
)
def test_dicom_headers_are_checked(tmp_path, changes, message):
    data = dicom(noise(2, 8, 9))
    for key, value in changes.items():
        setattr(data, key, value)
    with pytest.raises(RecordingError, match=message):
        read(write_dicom(tmp_path / "a.dcm", data))


def test_a_deflated_dicom_file_is_not_unpacked(tmp_path):
    data = dicom(noise(2, 8, 9))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = write_dicom(tmp_path / "a.dcm", data)
    content = path.read_bytes()
    start = 128 + 4 + 12 + 4 + int.from_bytes(content[140:144], "little") - 4
    deflate = zlib.compressobj(9, wbits=-15)
    packed = b"".join(deflate.compress(bytes(_MB)) for _ in range(200)) + deflate.flush()
    path.write_bytes(content[:start] + packed)
    with pytest.raises(RecordingError, match="is a deflated DICOM file"):
        read(path)


def test_an_element_that_announces_more_than_its_file_holds_needs_no_memory(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", dicom(noise(2, 8, 9), InstitutionName="abcdefgh"))
    content = path.read_bytes()
    at = content.index(b"\x08\x00\x80\x00LO")
    path.write_bytes(content[:at] + b"\x08\x00\x80\x00OB\0\0\xf0\xff\xff\x7f" + content[at + 8 :])
    with pytest.raises(RecordingError, match=r"a\.dcm"):
        read(path)


def test_a_video_is_checked(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", steps(20))
    monkeypatch.setenv("SONOTEMPO_MAX_FRAME_PIXELS", "1000")
    with pytest.raises(RecordingError, match="FRAME_PIXELS"):
        read(path)
    monkeypatch.delenv("SONOTEMPO_MAX_FRAME_PIXELS")
    monkeypatch.setenv("SONOTEMPO_MAX_FRAMES", "19")
    with pytest.raises(RecordingError, match="SONOTEMPO_MAX_FRAMES"):
        read(path)


def test_raw_files_and_texts_are_checked(tmp_path, monkeypatch):
    path = write_clarius(tmp_path / "a.raw", noise(2, 40, 90))
    monkeypatch.setenv("SONOTEMPO_MAX_FRAME_PIXELS", "1000")
    with pytest.raises(RecordingError, match="FRAME_PIXELS"):
        read(path)
    monkeypatch.setenv("SONOTEMPO_MAX_TEXT_BYTES", "10")
    with pytest.raises(RecordingError, match="TEXT_BYTES"):
        read(path)


def test_a_header_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SONOTEMPO_MAX_HEADER_BYTES", "100000")
    path = tmp_path / "a.mha"
    path.write_bytes(b"".join(b"key%d = 1\n" % i for i in range(100_000)))
    with pytest.raises(RecordingError, match="HEADER_BYTES"):
        read(path)
    path = tmp_path / "a.nrrd"
    path.write_bytes(b"NRRD0004\n" + b"".join(b"key%d:=1\n" % i for i in range(100_000)))
    with pytest.raises(RecordingError, match="HEADER_BYTES"):
        read(path)


@pytest.mark.parametrize("text", ["many", "-1", "0", "1e9", "", "9" * 40, "²"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv("SONOTEMPO_MAX_FRAMES", text)
    with pytest.raises(ConfigError, match=r"SONOTEMPO_MAX_FRAMES is .*; expected a positive whole"):
        limits()
