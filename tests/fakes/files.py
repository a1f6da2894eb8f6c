"""Small recordings written to disk by the libraries that such files usually come from."""

from pathlib import Path

import av
import numpy as np
import SimpleITK as sitk
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)


def noise(*shape, seed=0, high=256):
    """Pixels of which no two frames are alike."""
    return np.random.default_rng(seed).integers(0, high, shape).astype(np.uint8)


_BLOCK = 16
_BITS = 6


def steps(count, shape_HW=(96, 128)):
    """Frames with a moving edge, and their index in black and white blocks (lossy codecs!)."""
    frames = np.full((count, *shape_HW), 60, np.uint8)
    for i in range(count):
        frames[i, _BLOCK:, : 2 * i + 4] = 180
        for bit in range(_BITS):
            frames[i, :_BLOCK, bit * _BLOCK : (bit + 1) * _BLOCK] = 255 * (i >> bit & 1)
    return frames


def step_of(image_HW):
    """The index of a frame made by :func:`steps`."""
    blocks = image_HW[:_BLOCK, : _BITS * _BLOCK].reshape(_BLOCK, _BITS, _BLOCK).mean((0, 2))
    return sum(int(value > 127) << bit for bit, value in enumerate(blocks))


def write_meta(path, pixels, *, spacing=None, compressed=False, is_colour=False, **fields):
    """Write HW, THW or (colour) HWC, THWC as MetaImage with SimpleITK."""
    image = sitk.GetImageFromArray(pixels, isVector=is_colour)
    if spacing is not None:
        image.SetSpacing((spacing[1], spacing[0], *([1.0] * (image.GetDimension() - 2))))
    for key, value in fields.items():
        image.SetMetaData(key, str(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=compressed)
    return path


def write_png(path, pixels, *, palette=False):
    """Write HW or HWC as an image file; with a palette the values are its indices."""
    image = Pillow.fromarray(pixels)
    if palette:
        image.putpalette([0, 0, 0, 255, 255, 0, 255, 0, 0])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def write_video(
    path, frames, codec="mpeg4", *, reordered=False, options=None, rate=20, aspect=None, coding=None
):
    """Encode THW frames with a key frame every 12; ``coding`` are options of the encoder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=coding or {})
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 12
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.max_b_frames = 2 if reordered else 0
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray")
            container.mux(stream.encode(picture.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())
    return path


def dicom(pixels, *, photometric="MONOCHROME2", bits=None, **elements):
    """An uncompressed DICOM data set of HW, THW or (colour) HWC, THWC pixels."""
    is_colour = photometric not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
    frames = pixels if pixels.ndim == 3 + is_colour else pixels[None]
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = (
        UltrasoundMultiFrameImageStorage if len(frames) > 1 else SecondaryCaptureImageStorage
    )
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = Dataset()
    data.file_meta = meta
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.Modality = "US"
    data.Rows, data.Columns = frames.shape[1:3]
    data.NumberOfFrames = len(frames)
    data.SamplesPerPixel = 3 if is_colour else 1
    if is_colour:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = photometric
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = 0
    data.PixelData = frames.tobytes()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def encapsulated(data, syntax, frames, *, has_bot=True):
    """Replace the pixels of a data set by compressed frames."""
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encapsulate(frames, has_bot=has_bot)
    data["PixelData"].VR = "OB"
    return data


def write_dicom(path, data):
    """Write a data set as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def write_clarius(path: Path, frames_TLS, *, kind=1, angle="0 °", depth_mm=None, **changes):
    """Write lines x samples frames as a Clarius raw file with its .yml."""
    count, lines, samples = frames_TLS.shape
    header = np.array([kind, count, lines, samples, frames_TLS.dtype.itemsize], "<u4")
    with path.open("wb") as file:
        file.write(header.tobytes())
        for i, frame in enumerate(frames_TLS):
            file.write(np.uint64(5_000_000_000 + i * 55_000_000).tobytes())
            file.write(frame.tobytes())
    depth_mm = samples * 1540 / (2 * 15e3) if depth_mm is None else depth_mm
    elements = (f"  - {{rx element: {i * 0.5}, angle: {angle}}}" for i in range(lines))
    text = [
        "# raw data parameters",
        f"frames: {count}",
        f"imaging depth: {depth_mm} mm",
        "tgc: { 0.00mm, 23.00dB }{ 30.00mm, 26.00dB }",
        f"size: {{samples per line: {samples}, number of lines: {lines}, sample size: 1 bytes}}",
        f"sampling rate: {changes.get('rate', '15 MHz')}",
        "lines:",
        *elements,
    ]
    path.with_suffix(".yml").write_text("\n".join(text), encoding="utf-8")
    return path
