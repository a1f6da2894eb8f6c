"""A video of a recording with the outlines of the models' masks, in the structures' colours."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from scipy import ndimage

from sonotempo.errors import RecordingError
from sonotempo.live.closing import Closing
from sonotempo.recording import Image, Spacing
from sonotempo.structures import StructureSet

_PANEL_WIDTH_PX = 480  # smaller frames are enlarged, so that outlines stay thin
_OUTLINE_PX = 2
_FONT_PX = 14
_LINE_PX = 20
_TIME_BASE = Fraction(1, 1000)
_SUFFIXES = (".mp4", ".mov", ".mkv")  # AVI keeps a rate but no time stamps


def outlined(image_HW: Image, mask_HW: Image, structures: StructureSet) -> NDArray[np.uint8]:
    """Draw each structure's outline on a frame, 2 pixels wide, inside its edge.

    Args:
        image_HW: uint8 grey.
        mask_HW: label values of ``structures``.

    Returns:
        RGB, uint8 HW3.

    >>> from sonotempo.structures import NERVE_VESSEL
    >>> mask_HW = np.zeros((9, 9), np.uint8)
    >>> mask_HW[1:8, 1:8] = 1
    >>> picture_HW3 = outlined(np.zeros((9, 9), np.uint8), mask_HW, NERVE_VESSEL)
    >>> picture_HW3[1, 1].tolist(), picture_HW3[4, 4].tolist()
    ([240, 228, 66], [0, 0, 0])
    """
    picture_HW3 = np.repeat(image_HW[:, :, None], 3, axis=2)
    for label in np.unique(mask_HW[mask_HW > 0]).tolist():
        inside_HW = mask_HW == label
        core_HW = ndimage.binary_erosion(inside_HW, iterations=_OUTLINE_PX)
        picture_HW3[inside_HW & ~core_HW] = structures.structures[label - 1].color_rgb
    return picture_HW3


class OverlayVideo(Closing):
    """Writes a video with one panel for each model, side by side, at the recording's time stamps.

    The first frame sets the size. Pixels that are not square are shown in their true shape by
    players that honour the sample aspect ratio.

    Args:
        path: the file, ending in .mp4, .mov or .mkv.
        titles: the panels' titles, one for each mask.
        structures: of the masks.
        frame_rate_hz: the approximate frame rate.
        pixel_size: of the frames as (row, column), in any unit.

    Raises:
        RecordingError: PyAV is missing, or the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        titles: Sequence[str],
        structures: StructureSet,
        *,
        frame_rate_hz: float,
        pixel_size: Spacing = (1.0, 1.0),
    ) -> None:
        try:
            import av  # noqa: PLC0415 (optional, and slow to import)
        except ModuleNotFoundError as error:
            raise RecordingError(
                f"writing {path} needs PyAV; install it with: pip install 'sonotempo[video]'"
            ) from error
        if path.suffix.lower() not in _SUFFIXES:
            raise RecordingError(
                f"{path} cannot be written: a video with time stamps ends in {', '.join(_SUFFIXES)}"
            )
        self._av = av
        self._path, self._titles, self._structures = path, tuple(titles), structures
        self._rate = Fraction(max(1, round(frame_rate_hz * 1000)), 1000)
        self._aspect = _aspect(pixel_size)
        self._stream: Any = None
        self._last_ms = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(path), "w")
        except (OSError, ValueError) as error:  # PyAV raises either if it cannot open a file
            raise _unwritable(path, error) from error

    def add(self, image_HW: Image, masks_HW: Sequence[Image], timestamp_ns: int) -> None:
        """Draw one frame with every model's mask.

        Raises:
            RecordingError: the file cannot be written.
        """
        picture_HW3 = np.concatenate(
            [
                self._panel(image_HW, mask_HW, title)
                for mask_HW, title in zip(masks_HW, self._titles, strict=True)
            ],
            axis=1,
        )
        try:
            if self._stream is None:
                self._stream = self._add_stream(*picture_HW3.shape[:2])
            frame = self._av.VideoFrame.from_ndarray(picture_HW3, format="rgb24")
            # Players need increasing times, even if the recording's clock does not increase.
            self._last_ms = max(self._last_ms + 1, round(timestamp_ns / 1e6))
            frame.pts, frame.time_base = self._last_ms, _TIME_BASE
            self._container.mux(self._stream.encode(frame))
        except (OSError, ValueError) as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """Write the remaining frames and finish the file."""
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
        except (OSError, ValueError) as error:
            raise _unwritable(self._path, error) from error

    def _panel(self, image_HW: Image, mask_HW: Image, title: str) -> NDArray[np.uint8]:
        """One model's picture with title and legend above; sides are even, as codecs require."""
        scale = -(-_PANEL_WIDTH_PX // image_HW.shape[1])
        large_HW, large_mask_HW = (
            plane.repeat(scale, 0).repeat(scale, 1) for plane in (image_HW, mask_HW)
        )
        picture_HW3 = outlined(large_HW, large_mask_HW, self._structures)
        height, width = picture_HW3.shape[:2]
        legend_HW3 = self._legend(title, width + width % 2)
        band = len(legend_HW3)
        panel_HW3 = np.zeros((band + height + height % 2, width + width % 2, 3), np.uint8)
        panel_HW3[:band] = legend_HW3
        panel_HW3[band : band + height, :width] = picture_HW3
        return panel_HW3

    def _legend(self, title: str, width: int) -> NDArray[np.uint8]:
        """Draw the title above the legend, so that the legends of all panels are alike."""
        font = ImageFont.load_default(_FONT_PX)
        margin = _FONT_PX / 2
        placed = [(margin, 0, title, (255, 255, 255))]
        x, line = margin, 1
        for structure in self._structures:
            length = font.getlength(structure.name)
            if x > margin and x + length > width:
                x, line = margin, line + 1
            placed.append((x, line, structure.name, structure.color_rgb))
            x += length + _FONT_PX
        band = Pillow.new("RGB", (width, (line + 1) * _LINE_PX + 8))
        draw = ImageDraw.Draw(band)
        for x, line, word, color_rgb in placed:
            draw.text((x, 4 + line * _LINE_PX), word, fill=color_rgb, font=font)
        return np.asarray(band)

    def _add_stream(self, height: int, width: int) -> Any:
        codec = "libx264" if "libx264" in self._av.codecs_available else "mpeg4"
        stream = self._container.add_stream(codec, rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.sample_aspect_ratio = self._aspect
        if codec == "libx264":
            stream.options = {"crf": "18", "preset": "veryfast"}
        else:
            stream.codec_context.bit_rate = 8_000_000
        return stream


def _aspect(pixel_size: Spacing) -> Fraction:
    """A pixel's width over its height."""
    row, column = pixel_size
    return Fraction(column / row).limit_denominator(1000)


def _unwritable(path: Path, error: Exception) -> RecordingError:
    reason = getattr(error, "strerror", None) or error
    return RecordingError(f"{path} cannot be written ({reason}); give another --video")
