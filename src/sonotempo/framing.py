"""Where the ultrasound is in a frame, and how large its pixels are, where the files do not say.

A picture from a cable, a screen or a plain video has menus around the image and no scale. Somebody
who sees it can say both: a box, and two ticks of the ruler or the depth. For a recording they are
kept in a file next to it, ``NAME.framing.json``, which every reader follows.
"""

import json
import math
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from sonotempo.errors import RecordingError
from sonotempo.folders import whole_file
from sonotempo.recording import Box, Recording, Spacing
from sonotempo.sector import Sector

_ENDING = ".framing.json"
_FORMAT = 1
_LEAST_MM_PER_PX, _MOST_MM_PER_PX = 0.001, 10.0
_LEAST_RULER_PX = 10.0


@dataclass(frozen=True, slots=True)
class Framing:
    """What somebody has said about frames of one size.

    Attributes:
        shape_HW: rows and columns of the frames that it holds for.
        area: the part that shows ultrasound, or None for all of it.
        mm_per_px: the size of a pixel, which is square; None if unknown.
        sector: the shape of the image in the area; None if it fills it.

    Raises:
        RecordingError: the area leaves the frames, or the size of a pixel makes no sense.
    """

    shape_HW: tuple[int, int]
    area: Box | None = None
    mm_per_px: float | None = None
    sector: Sector | None = None

    def __post_init__(self) -> None:
        height, width = self.shape_HW
        area, mm = self.area, self.mm_per_px
        if area is not None and (area.bottom > height or area.right > width):
            raise RecordingError(
                f"the image area {area.top},{area.left},{area.bottom},{area.right} (top, left, "
                f"bottom, right) leaves frames of {height}x{width} pixels (rows x columns); give "
                "an area inside them"
            )
        if mm is not None and not _LEAST_MM_PER_PX <= mm <= _MOST_MM_PER_PX:
            raise RecordingError(
                f"a pixel of {mm:g} mm; expected {_LEAST_MM_PER_PX:g} to {_MOST_MM_PER_PX:g} mm: "
                "check the distance that was entered"
            )

    @property
    def spacing_mm(self) -> Spacing | None:
        """Millimetres per pixel as (row, column), or None if unknown."""
        return None if self.mm_per_px is None else (self.mm_per_px, self.mm_per_px)

    def with_area(self, area: Box | None) -> "Framing":
        """Return the same with another area.

        Raises:
            RecordingError: it leaves the frames.
        """
        return replace(self, area=area)

    def with_sector(self, sector: Sector | None) -> "Framing":
        """Return the same with an image that fills a sector of its area, down to its last row."""
        if sector is not None and self.area is not None:
            outer_px = self.area.bottom - sector.apex_row
            if outer_px > sector.inner_px:
                sector = replace(sector, outer_px=outer_px)
        return replace(self, sector=sector)

    def with_ruler(
        self, first: tuple[float, float], second: tuple[float, float], distance_mm: float
    ) -> "Framing":
        """Take the scale from two ticks of the scanner's ruler.

        >>> Framing((600, 800)).with_ruler((100, 20), (500, 20), 40).mm_per_px
        0.1

        Args:
            first: row and column of one tick.
            second: of the other.
            distance_mm: between them, as the ruler says.

        Raises:
            RecordingError: the ticks are too close together, or the distance makes no sense.
        """
        pixels = math.dist(first, second)
        if pixels < _LEAST_RULER_PX:
            raise RecordingError(
                f"the two ticks are {pixels:.0f} pixels apart; take two that are at least "
                f"{_LEAST_RULER_PX:.0f} apart, the further the better"
            )
        return replace(self, mm_per_px=distance_mm / pixels)

    def with_depth(self, depth_mm: float) -> "Framing":
        """Take the scale from the depth that the scanner shows, over the rows of the area.

        >>> Framing((600, 800), Box(50, 0, 450, 800)).with_depth(40).mm_per_px
        0.1

        Raises:
            RecordingError: the depth makes no sense.
        """
        rows = self.area.shape[0] if self.area is not None else self.shape_HW[0]
        return replace(self, mm_per_px=depth_mm / rows)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values for a JSON file."""
        area = self.area
        return {
            "shape": list(self.shape_HW),
            "area": None if area is None else [area.top, area.left, area.bottom, area.right],
            "mm_per_px": self.mm_per_px,
            "sector": None if self.sector is None else list(astuple(self.sector)),
        }

    @classmethod
    def from_json(cls, values: Any) -> "Framing":
        """Read what :meth:`as_json` returned.

        Raises:
            ValueError: something else was given.
        """
        try:
            height, width = (int(side) for side in values["shape"])
            area, mm, sector = values["area"], values["mm_per_px"], values["sector"]
            return cls(
                (height, width),
                None if area is None else Box(*(int(edge) for edge in area)),
                None if mm is None else float(mm),
                None if sector is None else Sector(*(float(number) for number in sector)),
            )
        except (KeyError, TypeError, OverflowError, RecordingError) as error:
            raise ValueError(f"not an image area and a scale: {error}") from error


def framing_path(recording: Path) -> Path:
    """Return the file that holds the framing of a recording.

    >>> framing_path(Path("anna/scan.mp4")).name
    'scan.mp4.framing.json'
    """
    return recording.with_name(recording.name + _ENDING)


def read_framing(recording: Path) -> Framing | None:
    """Return what is kept next to a recording, or None.

    Args:
        recording: its file or folder.

    Raises:
        RecordingError: the file is damaged, or of a later version.
    """
    path = framing_path(recording)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}, this version reads {_FORMAT}")
        return Framing.from_json(content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordingError(
            f"{path} does not say where the image is ({error}); delete it and set the area again"
        ) from error


def write_framing(recording: Path, framing: Framing) -> Path:
    """Keep a framing next to a recording; return the file.

    Raises:
        RecordingError: its folder cannot be written.
    """
    path = framing_path(recording)
    content = {"format": _FORMAT, **framing.as_json()}
    try:
        with whole_file(path) as draft:
            draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written ({error.strerror or error}); copy the recording to a folder "
            "that you can write to, and set the area there"
        ) from error
    return path


def framed(recording: Recording) -> Recording:
    """Return a recording with the area and the scale that are kept next to it, if any.

    Raises:
        RecordingError: the file is damaged, or is for frames of another size.
    """
    framing = read_framing(recording.source)
    if framing is None:
        return recording
    sizes = {recording.images[place].shape for place in (0, len(recording) - 1)}
    if sizes != {framing.shape_HW}:
        height, width = framing.shape_HW
        found = " and ".join(f"{rows}x{columns}" for rows, columns in sorted(sizes))
        raise RecordingError(
            f"{framing_path(recording.source)} is for frames of {height}x{width} pixels (rows x "
            f"columns), but the recording has {found}; delete it and set the area again"
        )
    return replace(
        recording,
        area=framing.area,
        areas=(),
        sector=framing.sector,
        sectors=(),
        spacing_mm=framing.spacing_mm or recording.spacing_mm,
        spacings_mm=() if framing.spacing_mm else recording.spacings_mm,
        files=(*recording.files, framing_path(recording.source)),
    )
