"""Videos, images and image sequences without identity: cropped pixels, known fields, new names."""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from sonotempo.folders import whole_file
from sonotempo.framing import Framing, write_framing
from sonotempo.io.writers import write_frame
from sonotempo.label_origin import ORIGINS_FILE, Origin, read_origins, write_origins
from sonotempo.recording import Box, Image, Recording
from sonotempo.sector import Sector

_MILLISECONDS = Fraction(1, 1000)
_NS_A_MS = 1_000_000
# The file does not say what wrote it and when.
_NO_PROGRAM = {"fflags": "+bitexact"}


@dataclass(slots=True)
class MasksCropped:
    """How many pixels with a label were kept, and how many lay outside the area."""

    kept_px: int = 0
    outside_px: int = 0

    def crop(self, mask_HW: Image, box: Box) -> Image:
        """Crop a mask and count."""
        cropped_HW = mask_HW[box.top : box.bottom, box.left : box.right]
        kept = int(np.count_nonzero(cropped_HW))
        self.kept_px += kept
        self.outside_px += int(np.count_nonzero(mask_HW)) - kept
        return cropped_HW


def write_video(recording: Recording, target: Path, box: Box) -> None:
    """Write lossless grey video (FFV1 in Matroska) with the frames' times in milliseconds.

    A scale that is kept next to the original is kept next to the copy.

    Raises:
        RecordingError: a frame cannot be read.
        OSError: the disk refuses.
    """
    import av  # noqa: PLC0415 (an extra, which reading the video needed too)

    _keep_framing(recording, target, box)
    with whole_file(target) as draft:
        try:
            with av.open(str(draft), "w", format="matroska", options=_NO_PROGRAM) as out:
                stream: Any = out.add_stream("ffv1", rate=1000, options={"level": "3"})
                stream.height, stream.width = box.shape
                stream.pix_fmt = "gray"
                stream.codec_context.time_base = _MILLISECONDS
                if recording.pixel_aspect != 1:
                    ratio = Fraction(1 / recording.pixel_aspect).limit_denominator(1000)
                    stream.codec_context.sample_aspect_ratio = ratio
                last = -1
                began_ns = int(recording.timestamps_ns[0])
                for index, time_ns in enumerate(recording.timestamps_ns.tolist()):
                    frame = av.VideoFrame.from_ndarray(
                        kept_pixels(recording.images[index], box, recording.sector), format="gray"
                    )
                    last = max(round((time_ns - began_ns) / _NS_A_MS), last + 1)
                    frame.pts, frame.time_base = last, _MILLISECONDS
                    out.mux(stream.encode(frame))
                out.mux(stream.encode())
        except av.FFmpegError as error:
            raise OSError(error.errno, error.strerror, str(target)) from error


def write_still(recording: Recording, image: Path, mask: Path, box: Box) -> MasksCropped:
    """Write an image, and its mask where there is one, as PNG without any text in it.

    Raises:
        RecordingError: the image or its mask cannot be read.
        OSError: the disk refuses.
    """
    masks = MasksCropped()
    if recording.labelled:
        mask.parent.mkdir(exist_ok=True)
        _write_png(masks.crop(recording.mask_readers[0](), box), mask)
    image.parent.mkdir(exist_ok=True)
    _write_png(kept_pixels(recording.images[0], box, recording.sector), image)
    return masks


def write_frames(recording: Recording, folder: Path, box: Box) -> MasksCropped:
    """Write an image sequence as ``us_<number>.mhd``, with ``us_<number>_gt.mhd`` masks.

    What is known of each mask's origin is kept, but for the person and the date.

    Raises:
        RecordingError: a frame or a mask cannot be read.
        OSError: the disk refuses.
    """
    masks = MasksCropped()
    numbers = recording.frame_numbers - min(0, int(recording.frame_numbers[0]))
    times_ns = recording.timestamps_ns - recording.timestamps_ns[0]
    for index, number in enumerate(numbers.tolist()):
        read_mask = recording.mask_readers.get(index)
        write_frame(
            folder,
            f"us_{number}",
            kept_pixels(recording.images[index], box, recording.sector),
            None if read_mask is None else masks.crop(read_mask(), box),
            spacing_mm=recording.spacing_at(index),
            timestamp_ns=None if recording.rate_is_assumed else int(times_ns[index]),
        )
    source = recording.source
    if source.is_dir() and (source / ORIGINS_FILE).is_file():
        shift = int(numbers[0]) - int(recording.frame_numbers[0])
        origins = {
            number + shift: Origin(one.kind, one.model, one.is_accepted)
            for number, one in read_origins(source).items()
        }
        write_origins(folder, origins)
    return masks


def kept_pixels(image_HW: Image, box: Box, sector: Sector | None) -> Image:
    """Return the pixels of a frame in a box; black outside a sector, where texts may stand."""
    kept_HW = image_HW[box.top : box.bottom, box.left : box.right].copy()
    if sector is not None:
        rows, columns = (np.arange(side, dtype=np.float64) for side in kept_HW.shape)
        kept_HW[~sector.within(box.top, box.left).inside(rows, columns)] = 0
    return kept_HW


def _keep_framing(recording: Recording, target: Path, box: Box) -> None:
    """Keep scale and sector next to a video, which has no place for them."""
    spacing_mm, sector = recording.spacing_mm, recording.sector
    mm = spacing_mm[0] if spacing_mm is not None and spacing_mm[0] == spacing_mm[1] else None
    if mm is not None or sector is not None:
        moved = None if sector is None else sector.within(box.top, box.left)
        write_framing(target, Framing(box.shape, None, mm, moved))


def _write_png(pixels_HW: Image, path: Path) -> None:
    packed = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(pixels_HW)).save(packed, "PNG")
    with whole_file(path) as draft:
        draft.write_bytes(packed.getvalue())
