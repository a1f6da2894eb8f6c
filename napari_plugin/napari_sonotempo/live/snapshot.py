"""A snapshot as files: the view, the frame, every model's mask, and a description."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from sonotempo import __version__
from sonotempo.errors import SonotempoError
from sonotempo.live.history import StepResult
from sonotempo.structures import StructureSet


def new_name(kind: str) -> str:
    """Return a file name that contains the time."""
    return f"{kind}-{datetime.now():%Y%m%d-%H%M%S-%f}"[:-3]


def write_snapshot(  # noqa: PLR0917
    folder: Path,
    view_HW4: NDArray[np.uint8],
    result: StepResult,
    names: Sequence[str],
    structures: StructureSet | None,
    facts: dict[str, Any],
) -> Path:
    """Write ``view.png``, ``frame.png``, ``mask-A.png``… and ``snapshot.json`` into a new folder.

    Masks have the frame's shape and contain label values.

    Raises:
        SonotempoError: it cannot be written.
    """
    place = folder / new_name("snapshot")
    about = {
        "made_by": f"sonotempo {__version__}",
        "frame": result.frame.index,
        "timestamp_ns": result.frame.timestamp_ns,
        "spacing_mm": result.frame.spacing_mm,
        "labels": dict(enumerate(structures.names, start=1)) if structures else {},
        "masks": {
            f"mask-{side}.png": {"model": name, "state_age": made.state_age}
            for side, name, made in zip("AB", names, result.predictions, strict=False)
        },
        **facts,
    }
    try:
        place.mkdir(parents=True)
        Pillow.fromarray(view_HW4).save(place / "view.png")
        Pillow.fromarray(result.frame.image_HW).save(place / "frame.png")
        for side, made in zip("AB", result.predictions, strict=False):
            Pillow.fromarray(made.mask_HW()).save(place / f"mask-{side}.png")
        (place / "snapshot.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    except OSError as error:
        raise SonotempoError(
            f"{place} cannot be written ({error.strerror or error}); choose another folder to "
            "save to"
        ) from error
    return place
