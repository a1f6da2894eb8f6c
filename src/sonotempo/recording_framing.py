"""Set the image area and the scale of a recording whose file does not say them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from sonotempo.errors import ConfigError, RecordingError
from sonotempo.folders import whole_file, writing
from sonotempo.framing import Framing, framing_path, read_framing, write_framing
from sonotempo.image_area import ImageFinder
from sonotempo.io import open_recording
from sonotempo.recording import Box, Recording
from sonotempo.sector import Sector

_LOOKED_AT = 48  # frames, spread over the recording
_YELLOW_BGR = (66, 228, 240)


def found_image(recording: Recording) -> tuple[Box, Sector | None] | None:
    """Look for the region that changes over a recording; None if nothing stands out.

    Returns:
        Its box, and its shape where it does not fill the box.

    Raises:
        RecordingError: a frame cannot be read.
    """
    finder, found = ImageFinder(), None
    for index in np.linspace(0, len(recording) - 1, min(_LOOKED_AT, len(recording))).astype(int):
        found = finder.look(recording.images[int(index)]) or found
    return None if found is None else (found, finder.sector)


def set_framing(
    path: Path,
    *,
    area: str = "",
    mm_per_px: float | None = None,
    depth_mm: float | None = None,
    ruler: str = "",
) -> tuple[Framing, Path]:
    """Keep an area and a scale next to a recording; what is not given stays as it is.

    Args:
        path: of the recording.
        area: ``TOP,LEFT,BOTTOM,RIGHT``, ``find`` or ``whole``; empty to leave it.
        mm_per_px: the size of a pixel.
        depth_mm: of the area instead, from its first to its last row.
        ruler: ``ROW,COLUMN,ROW,COLUMN,MM`` instead: two ticks and their distance.

    Returns:
        What holds now, and the file that keeps it.

    Raises:
        ConfigError: an option cannot be read, or two of them give the scale.
        RecordingError: the recording cannot be read, no area is found, or the file cannot be
            written.
    """
    scales = {"--mm-per-px": mm_per_px, "--depth-mm": depth_mm, "--ruler": ruler or None}
    given = [name for name, value in scales.items() if value is not None]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} both give the scale; give one of them")
    recording = open_recording(path)
    frame = recording[0]
    kept = read_framing(recording.source)
    mm = kept.mm_per_px if kept is not None else None
    shape_HW = (frame.image_HW.shape[0], frame.image_HW.shape[1])
    framing = Framing(shape_HW, frame.area, mm, frame.sector)
    if area:
        box, sector = _area(area, recording)
        framing = framing.with_area(box).with_sector(sector)
    if mm_per_px is not None:
        framing = replace(framing, mm_per_px=mm_per_px)
    if depth_mm is not None:
        framing = framing.with_depth(depth_mm)
    if ruler:
        row, column, other_row, other_column, mm = _numbers(
            "--ruler", ruler, "ROW,COLUMN,ROW,COLUMN,MM", "100,20,500,20,40"
        )
        framing = framing.with_ruler((row, column), (other_row, other_column), mm)
    return framing, write_framing(recording.source, framing)


def remove_framing(path: Path) -> Path:
    """Delete what is kept next to a recording; return the file that held it.

    Raises:
        RecordingError: nothing is kept, or it cannot be deleted.
    """
    file = framing_path(path)
    try:
        file.unlink()
    except OSError as error:
        raise RecordingError(f"{file} cannot be deleted ({error.strerror or error})") from error
    return file


def draw_framing(recording: Recording, out: Path) -> None:
    """Draw the middle frame with the box or the sector around its image, to look at.

    Raises:
        RecordingError: the frame cannot be read, or the picture cannot be written.
    """
    frame = recording[len(recording) // 2]
    drawn_HW3 = cv2.cvtColor(frame.image_HW, cv2.COLOR_GRAY2BGR)
    height, width = frame.image_HW.shape
    inside_HW = np.ones((height, width), np.uint8)
    if frame.sector is not None:
        rows, columns = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
        inside_HW = frame.sector.inside(rows, columns).astype(np.uint8)
    if (area := frame.area) is not None:
        outside_HW = np.ones((height, width), np.bool_)
        outside_HW[area.top : area.bottom, area.left : area.right] = False
        inside_HW[outside_HW] = 0
    contours, _ = cv2.findContours(inside_HW, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn_HW3, contours, -1, _YELLOW_BGR, 2)
    _, png = cv2.imencode(".png", drawn_HW3)
    with writing(out, "--picture", RecordingError), whole_file(out) as draft:
        draft.write_bytes(png.tobytes())


def _area(text: str, recording: Recording) -> tuple[Box | None, Sector | None]:
    if text == "whole":
        return None, None
    if text != "find":
        edges = _numbers("--area", text, "TOP,LEFT,BOTTOM,RIGHT, find or whole", "60,200,660,1000")
        return Box(*(int(edge) for edge in edges)), None
    found = found_image(recording)
    if found is None:
        raise RecordingError(
            f"no part of {recording.source} changes as an image does while somebody scans; give "
            "--area TOP,LEFT,BOTTOM,RIGHT"
        )
    return found


def _numbers(option: str, text: str, expected: str, example: str) -> list[float]:
    """Read numbers that are separated by commas, as many as the example has."""
    try:
        values = [float(part) for part in text.split(",")]
        if len(values) != example.count(",") + 1 or not np.isfinite(values).all():
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"{option} {text}: expected {expected}, for example {option} {example}"
        ) from None
    return values
