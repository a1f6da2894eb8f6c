"""One small sound file of each format, made by code, for scripts/fuzz_readers.py to damage."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import nrrd
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import compress
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
)

from sonotempo.io.writers import write_sequence
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.recording.recorder import Recorder

Frames = NDArray[np.uint8]
SHAPE_THW = (4, 24, 32)


@dataclass(frozen=True, slots=True)
class Seed:
    """A sound recording.

    Attributes:
        opened: the path to give to ``open_recording``, relative to the seed's folder.
        damaged: the files that are damaged in turn.
    """

    opened: str
    damaged: tuple[str, ...]


def frames_THW() -> Frames:
    """Return a few frames that compress a little."""
    rows, columns = np.indices(SHAPE_THW[1:])
    moving = [(rows * 5 + columns * 3 + 40 * i) % 256 for i in range(SHAPE_THW[0])]
    return np.array(moving, np.uint8)


def write_seed(name: str, folder: Path) -> Seed:
    """Write the seed of a format into an empty folder."""
    return SEEDS[name](folder)


def _dicom(folder: Path, kind: str) -> Seed:
    frames = frames_THW()
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.SOPClassUID, data.SOPInstanceUID = UltrasoundMultiFrameImageStorage, "1.2.3"
    data.Modality, data.PatientID = "US", "anna"
    data.SeriesInstanceUID, data.InstanceNumber = "1.2", 1
    data.NumberOfFrames, data.Rows, data.Columns = SHAPE_THW
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.FrameTime, data.FrameIncrementPointer = 40, 0x00181063
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 2, 1
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 30, 20
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    data.SequenceOfUltrasoundRegions = [region]
    data.PixelData = frames.tobytes()
    if kind == "palette":
        data.PhotometricInterpretation = "PALETTE COLOR"
        for colour in ("Red", "Green", "Blue"):
            setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            table = (np.arange(256) * 257).astype("<u2").tobytes()
            setattr(data, f"{colour}PaletteColorLookupTableData", table)
    elif kind == "RLE":
        compress(data, RLELossless)
    elif kind == "JPEG":
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        data.PixelData = encapsulate([_picture(frame, "JPEG") for frame in frames])
        data["PixelData"].VR = "OB"
    data.save_as(folder / "a.dcm", enforce_file_format=True)
    if kind == "lossless JPEG":
        _as_lossless_jpeg(folder / "a.dcm")
    return Seed("a.dcm", ("a.dcm",))


def _as_lossless_jpeg(path: Path) -> None:
    import gdcm  # noqa: PLC0415

    reader, change, writer = (
        gdcm.ImageReader(),
        gdcm.ImageChangeTransferSyntax(),
        gdcm.ImageWriter(),
    )
    reader.SetFileName(str(path))
    reader.Read()
    syntax = gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1)
    change.SetTransferSyntax(syntax)
    change.SetInput(reader.GetImage())
    change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    writer.Write()


def _picture(pixels: Frames, kind: str) -> bytes:
    content = io.BytesIO()
    Pillow.fromarray(pixels).save(content, kind)
    return content.getvalue()


def _metaimage(folder: Path, is_compressed: bool) -> Seed:
    import zlib  # noqa: PLC0415

    frames = frames_THW()
    pixels = zlib.compress(frames.tobytes()) if is_compressed else frames.tobytes()
    header = [
        "ObjectType = Image",
        "NDims = 3",
        f"DimSize = {SHAPE_THW[2]} {SHAPE_THW[1]} {SHAPE_THW[0]}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        f"CompressedData = {is_compressed}",
        f"CompressedDataSize = {len(pixels)}",
        "TransformMatrix = 1 0 0 0 1 0 0 0 1",
        "Offset = 0 0 0",
        "ElementSpacing = 0.1 0.2 1",
        "UltrasoundImageOrientation = MFA",
        *(f"Seq_Frame{i:04}_Timestamp = {i * 0.04}" for i in range(SHAPE_THW[0])),
        *(f"Seq_Frame{i:04}_ImageStatus = OK" for i in range(SHAPE_THW[0])),
        "ElementNumberOfChannels = 1",
        "ElementType = MET_UCHAR",
        "ElementDataFile = LOCAL",
        "",
    ]
    (folder / "a.mha").write_bytes("\n".join(header).encode() + pixels)
    return Seed("a.mha", ("a.mha",))


def _nrrd(folder: Path, encoding: str) -> Seed:
    header = {
        "encoding": encoding,
        "kinds": ["domain", "domain", "list"],
        "spacings": [0.1, 0.2, 1.0],
        **{f"Seq_Frame{i:04}_Timestamp": str(i * 0.04) for i in range(SHAPE_THW[0])},
    }
    nrrd.write(str(folder / "a.nrrd"), np.asfortranarray(frames_THW().T), header)
    return Seed("a.nrrd", ("a.nrrd",))


def _video(folder: Path, suffix: str, codec: str, pixel_format: str) -> Seed:
    path = folder / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *SHAPE_THW[1:], pixel_format
        for image_HW in frames_THW():
            frame = av.VideoFrame.from_ndarray(image_HW, format="gray")
            container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode())
    return Seed(path.name, (path.name,))


def _clarius(folder: Path) -> Seed:
    frames = frames_THW().transpose(0, 2, 1)
    count, lines, samples = frames.shape
    with (folder / "a.raw").open("wb") as file:
        file.write(np.array([1, count, lines, samples, 1], "<u4").tobytes())
        for i, frame in enumerate(frames):
            file.write(np.uint64(i * 40_000_000).tobytes() + frame.tobytes())
    described = [
        f"frames: {count}",
        "imaging depth: 1.2 mm",
        "tgc: { 0.00mm, 23.00dB }{ 30.00mm, 26.00dB }",
        "sampling rate: 15 MHz",
        "roi: {start sample: 0, start line: 0, end sample: 20, end line: 30}",
        "lines:",
        *(f"  - {{rx element: {i * 0.5}, angle: 0}}" for i in range(lines)),
    ]
    (folder / "a.yml").write_text("\n".join(described))
    return Seed("a.raw", ("a.raw", "a.yml"))


def _image(folder: Path, suffix: str, mode: str = "L") -> Seed:
    path = folder / f"a{suffix}"
    image = Pillow.fromarray(frames_THW()[0])
    if mode == "P":
        image.putpalette([value for grey in range(256) for value in (grey, grey, 255 - grey)])
    image.save(path)
    return Seed(path.name, (path.name,))


def _stack(folder: Path, suffix: str) -> Seed:
    first, *rest = (Pillow.fromarray(frame) for frame in frames_THW())
    path = folder / f"a{suffix}"
    options: dict[str, Any] = {} if suffix == ".tif" else {"duration": 40}
    first.save(path, save_all=True, append_images=rest, **options)
    return Seed(path.name, (path.name,))


def _stills(folder: Path) -> Seed:
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
        for i, frame in enumerate(frames_THW()):
            Pillow.fromarray(frame if kind == "images" else frame % 3).save(
                folder / kind / f"a_{i}.png"
            )
    return Seed("images", ("images/a_1.png", "masks/a_1.png"))


def _export(folder: Path) -> Seed:
    frames = frames_THW()
    inner = folder / "anna" / "one"
    write_sequence(
        inner, "us", frames, frames % 3, spacing_mm=(0.1, 0.2), timestamps_ns=np.arange(4) * 10**7
    )
    names = ("us_1.mhd", "us_1.zraw", "us_1_gt.mhd", "us_1_gt.zraw")
    return Seed("anna/one", tuple(f"anna/one/{name}" for name in names))


def _labelme(folder: Path) -> Seed:
    inner = folder / "anna" / "one"
    inner.mkdir(parents=True)
    bitmap = np.ones((3, 4), np.uint8) * 255
    for i, frame in enumerate(frames_THW()):
        Pillow.fromarray(frame).save(inner / f"us_{i}.png")
        shapes = [
            {"label": "nerve", "shape_type": "polygon", "points": [[1, 1], [9, 1], [9, 7]]},
            {"label": "vessel", "shape_type": "circle", "points": [[12, 12], [14, 12]]},
            {
                "label": "2",
                "shape_type": "mask",
                "points": [[3, 3], [6, 5]],
                "mask": _base64(_picture(bitmap, "PNG")),
            },
        ]
        content = {"shapes": shapes, "imageHeight": SHAPE_THW[1], "imageWidth": SHAPE_THW[2]}
        (inner / f"us_{i}.json").write_text(json.dumps(content))
    return Seed("anna/one", ("anna/one/us_1.json", "anna/one/us_1.png"))


def _base64(content: bytes) -> str:
    import base64  # noqa: PLC0415

    return base64.b64encode(content).decode()


def _stream(folder: Path) -> Seed:
    with (
        RingBuffer(seconds=9, rate_hz=1, height_px=64, width_px=64) as buffer,
        buffer.writer() as writer,
    ):
        recorder = Recorder(buffer.reader("now"), folder / "a.mkv")
        for i, image_HW in enumerate(frames_THW()):
            shown = np.ascontiguousarray(image_HW if i < 2 else image_HW[:16])  # a second segment
            writer.write(shown, probe_ns=i * 40_000_000, host_ns=i * 10**7)
        recorder.stop()
    return Seed("a.mkv", ("a.jsonl", "a.mkv", "a.segment-2.mkv"))


#: By the name in the table.
SEEDS: dict[str, Callable[[Path], Seed]] = {
    "DICOM": lambda folder: _dicom(folder, "plain"),
    "DICOM palette": lambda folder: _dicom(folder, "palette"),
    "DICOM RLE": lambda folder: _dicom(folder, "RLE"),
    "DICOM JPEG": lambda folder: _dicom(folder, "JPEG"),
    "DICOM lossless JPEG": lambda folder: _dicom(folder, "lossless JPEG"),
    "MetaImage": lambda folder: _metaimage(folder, False),
    "MetaImage zlib": lambda folder: _metaimage(folder, True),
    "NRRD": lambda folder: _nrrd(folder, "raw"),
    "NRRD gzip": lambda folder: _nrrd(folder, "gzip"),
    "Clarius raw": _clarius,
    "PNG": lambda folder: _image(folder, ".png"),
    "PNG palette": lambda folder: _image(folder, ".png", "P"),
    "JPEG": lambda folder: _image(folder, ".jpg"),
    "BMP": lambda folder: _image(folder, ".bmp"),
    "TIFF stack": lambda folder: _stack(folder, ".tif"),
    "GIF": lambda folder: _stack(folder, ".gif"),
    "WebP": lambda folder: _stack(folder, ".webp"),
    "MP4": lambda folder: _video(folder, ".mp4", "mpeg4", "yuv420p"),
    "AVI": lambda folder: _video(folder, ".avi", "mjpeg", "yuvj420p"),
    "Matroska FFV1": lambda folder: _video(folder, ".mkv", "ffv1", "gray"),
    "recorded stream": _stream,
    "images and masks": _stills,
    "Annotation Web": _export,
    "labelme": _labelme,
}
