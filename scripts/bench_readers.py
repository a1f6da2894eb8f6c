"""Measure opening and scrubbing long recordings in a real napari window.

    python scripts/bench_readers.py --gigabytes 2

On Linux without a screen: ``xvfb-run -a python scripts/bench_readers.py``. A recording's size is
that of its pixels; a video's file is smaller. Opening is from the call to the first painted frame;
a scrub is one step of the time slider, from the call to the painted frame.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _measure import peak_memory
from _window import open_viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHAPE_HW = (480, 640)


def main() -> None:
    """Measure recordings of the size that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of pixels in a recording")
    parser.add_argument("--keep", type=Path, help="a folder to make and keep the recordings in")
    parser.add_argument("--steps", type=int, default=200, help="of the time slider, of each kind")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
        bench_readers(given.gigabytes, given.keep, given.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        bench_readers(given.gigabytes, Path(folder), given.steps)


def bench_readers(gigabytes: float, folder: Path, steps: int) -> None:
    """Print opening times and the time of a scrub for one recording of each kind."""
    count = max(2, round(gigabytes * 1e9 / (SHAPE_HW[0] * SHAPE_HW[1])))
    print(
        f"{count} frames of {SHAPE_HW[1]}x{SHAPE_HW[0]}, {steps} steps of each kind, p50 / p95 ms"
    )
    print(
        f"{'':24}{'opening':>9}  {'forward':>14}  {'backward':>14}  {'jump':>14}"
        f"  {'backward, read':>14}  {'jump, read':>14}  memory"
    )
    _print_one("numpy, in memory", None, steps)  # what the window alone costs
    for what, name, write in (
        ("MetaImage .mha", "cine.mha", write_mha),
        ("DICOM", "cine.dcm", write_dicom),
        ("DICOM, JPEG", "jpeg.dcm", write_jpeg_dicom),
        ("mkv, FFV1", "ffv1.mkv", write_ffv1),
        ("mp4, key frame / 12", "short.mp4", write_mp4),
        ("mp4, key frame / 250", "long.mp4", write_long_mp4),
    ):
        path = folder / name
        if not path.exists():
            write(path, count)
        _print_one(what, path, steps)


def _print_one(what: str, path: Path | None, steps: int) -> None:
    viewer = open_viewer()
    _paint(viewer)
    if path is None:
        images_THW = np.stack(list(_frames(3 * steps)))
        viewer.add_image(images_THW, contrast_limits=(0, 255))
        viewer.layers.clear()
    before = peak_memory()
    start = time.perf_counter()
    if path is None:
        viewer.add_image(images_THW, contrast_limits=(0, 255))
    else:
        viewer.open(path, plugin="sonotempo")
    _paint(viewer)
    opening_s = time.perf_counter() - start
    count = viewer.layers[0].data.shape[0]
    first = count // 3
    random = np.random.default_rng(0)
    _scrub(viewer, [first])
    times = [
        _scrub(viewer, range(first + 1, first + 1 + steps)),
        _scrub(viewer, range(2 * first, 2 * first - steps, -1)),
        _scrub(viewer, random.integers(0, count, steps).tolist()),
    ]
    grown_mib = (peak_memory() - before) / 2**20
    times += [[], []] if path is None else _reading(path, steps)
    columns = "  ".join(f"{_p(ms, 50):7.1f} /{_p(ms, 95):5.0f}" if ms else 14 * " " for ms in times)
    print(f"{what:24}{opening_s:7.2f} s  {columns}  +{grown_mib:.0f} MiB", flush=True)
    viewer.close()


def _reading(path: Path, steps: int) -> list[list[float]]:
    """Return the milliseconds of reading frames without a window: backwards, and jumping."""
    from napari_sonotempo.files.reader import read_recordings  # noqa: PLC0415

    images = read_recordings(path)[0][0]
    count = len(images)
    jumps = np.random.default_rng(1).integers(0, count, steps).tolist()
    times: list[list[float]] = []
    for positions in (range(count // 2, count // 2 - steps, -1), jumps):
        times.append([])
        for position in positions:
            start = time.perf_counter()
            np.asarray(images[position])
            times[-1].append((time.perf_counter() - start) * 1e3)
    return times


def _scrub(viewer: Any, positions: Any) -> list[float]:
    """Return the milliseconds of each move of the time slider."""
    times = []
    for position in positions:
        start = time.perf_counter()
        viewer.dims.set_current_step(0, int(position))
        _paint(viewer)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def _paint(viewer: Any) -> None:
    """Let Qt paint the changes."""
    from qtpy.QtWidgets import QApplication  # noqa: PLC0415

    QApplication.processEvents()
    QApplication.processEvents()


def _p(times_ms: list[float], percent: float) -> float:
    return float(np.percentile(times_ms, percent))


def _frames(count: int) -> Iterator[np.ndarray[Any, Any]]:
    """Yield moving speckle, which is cheap to compute and not trivial to compress."""
    speckle_HW = np.random.default_rng(0).rayleigh(40, SHAPE_HW).clip(0, 255).astype(np.uint8)
    for index in range(count):
        yield np.roll(speckle_HW, (index, 2 * index), (0, 1))


def write_mha(path: Path, count: int) -> None:
    """Write an uncompressed MetaImage."""
    height, width = SHAPE_HW
    with path.open("wb") as file:
        file.write(
            f"ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = False\n"
            f"ElementSpacing = 0.1 0.1 1\nDimSize = {width} {height} {count}\n"
            "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n".encode("ascii")
        )
        for image_HW in _frames(count):
            file.write(image_HW.tobytes())


def write_dicom(path: Path, count: int) -> None:
    """Write an uncompressed DICOM cine."""
    data = _dicom(count)
    whole = np.empty((count, *SHAPE_HW), np.uint8)
    for index, image_HW in enumerate(_frames(count)):
        whole[index] = image_HW
    data.PixelData = whole.tobytes()
    data.save_as(path, enforce_file_format=True)


def write_jpeg_dicom(path: Path, count: int) -> None:
    """Write a DICOM cine of JPEG baseline frames."""
    import io  # noqa: PLC0415

    from PIL import Image  # noqa: PLC0415
    from pydicom.encaps import encapsulate_extended  # noqa: PLC0415
    from pydicom.uid import JPEGBaseline8Bit  # noqa: PLC0415

    def packed(image_HW: np.ndarray[Any, Any]) -> bytes:
        with io.BytesIO() as file:
            Image.fromarray(image_HW).save(file, "jpeg", quality=85)
            return file.getvalue()

    data = _dicom(count)
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    frames = [packed(image_HW) for image_HW in _frames(count)]
    pixels, offsets, lengths = encapsulate_extended(frames)
    data.PixelData = pixels
    data["PixelData"].VR = "OB"
    data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = offsets, lengths
    data.save_as(path, enforce_file_format=True)


def write_ffv1(path: Path, count: int) -> None:
    """Write lossless FFV1 in Matroska; every frame is a key frame."""
    _write_video(path, count, "ffv1", "gray", lambda stream: None)


def write_mp4(path: Path, count: int) -> None:
    """Write MPEG-4 with a key frame every 12 frames."""
    _write_mpeg4(path, count, 12)


def write_long_mp4(path: Path, count: int) -> None:
    """Write MPEG-4 with a key frame every 250 frames, as many programs do by default."""
    _write_mpeg4(path, count, 250)


def _write_mpeg4(path: Path, count: int, key_frame_every: int) -> None:
    def set_up(stream: Any) -> None:
        stream.bit_rate = 8_000_000
        stream.codec_context.gop_size = key_frame_every

    _write_video(path, count, "mpeg4", "yuv420p", set_up)


def _write_video(
    path: Path, count: int, codec: str, pixels: str, set_up: Callable[[Any], None]
) -> None:
    import av  # noqa: PLC0415

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = SHAPE_HW
        stream.pix_fmt = pixels
        set_up(stream)
        for image_HW in _frames(count):
            frame = av.VideoFrame.from_ndarray(image_HW, format="gray")
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode())


def _dicom(count: int) -> Any:
    """Return an ultrasound cine without pixels."""
    from pydicom.dataset import Dataset, FileMetaDataset  # noqa: PLC0415
    from pydicom.uid import (  # noqa: PLC0415
        ExplicitVRLittleEndian,
        UltrasoundMultiFrameImageStorage,
        generate_uid,
    )

    data, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.file_meta = meta
    data.Modality, data.PhotometricInterpretation = "US", "MONOCHROME2"
    data.Rows, data.Columns = SHAPE_HW
    data.NumberOfFrames, data.SamplesPerPixel, data.FrameTime = count, 1, "40"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    return data


if __name__ == "__main__":
    main()
