"""Drafts: masks that nobody has saved yet, so that closing the window in the middle loses nothing.

A draft is a zip file next to the plugin's settings with ``about.json`` and one ``<position>.npy``
for each mask. A small file next to it remembers where a recording's masks were saved last.
"""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_sonotempo.shared.layers import known_structures
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import RecordingError
from sonotempo.folders import whole_file, writing
from sonotempo.label_origin import Origin
from sonotempo.recording import Image, Recording
from sonotempo.structures import StructureSet

_ABOUT = "about.json"
_FORMAT = 1
_FAST = 1  # zlib's level


@dataclass(frozen=True, slots=True)
class Draft:
    """Masks that were not saved.

    Attributes:
        masks: by position.
        origins: by position.
        structures: what the label values mean.
    """

    masks: dict[int, Image]
    origins: dict[int, Origin]
    structures: StructureSet


class Drafts:
    """The drafts of one user.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, recording: Recording) -> Path:
        """Return where the draft of a recording is; it is known by its name and first frame.

        Raises:
            RecordingError: the first frame cannot be read.
        """
        about = f"{recording.source}|{recording.name}|{len(recording)}|"
        digest = hashlib.sha256(about.encode())
        digest.update(np.ascontiguousarray(recording.images[0]).tobytes())
        return self.folder / f"{digest.hexdigest()[:20]}.zip"

    def when(self, path: Path) -> datetime | None:
        """Return when a draft was written; None if there is none."""
        try:
            return datetime.fromtimestamp(path.stat().st_mtime)
        except FileNotFoundError:
            return None

    def note_saved(self, path: Path, folder: Path) -> None:
        """Remove a draft, and remember where its masks were saved instead.

        Raises:
            RecordingError: the folder of drafts cannot be written.
        """
        with writing(self.folder, "folder for drafts", RecordingError):
            self.folder.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".saved").write_text(str(folder), encoding="utf-8")
            path.unlink(missing_ok=True)

    def saved_in(self, path: Path) -> Path | None:
        """Return the folder where a recording's masks were saved last, if it is still there."""
        try:
            folder = Path(path.with_suffix(".saved").read_text(encoding="utf-8"))
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return folder if folder.is_dir() else None


def write_draft(path: Path, masks: LazyMasks, structures: StructureSet) -> None:
    """Write all masks; the former draft stays until this one is whole.

    Raises:
        RecordingError: the draft cannot be written.
    """
    origins = masks.origins
    about = {
        "format": _FORMAT,
        "structures": list(structures.names),
        "origins": {str(position): asdict(origin) for position, origin in origins.items()},
    }
    with writing(path, "place for drafts", RecordingError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            whole_file(path) as draft,
            zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as file,
        ):
            file.writestr(_ABOUT, json.dumps(about))
            for position in origins:
                with file.open(f"{position}.npy", "w") as one:
                    np.lib.format.write_array(one, masks[position], allow_pickle=False)


def read_draft(path: Path) -> Draft:
    """Read a draft.

    Raises:
        RecordingError: it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            about: dict[str, Any] = json.loads(file.read(_ABOUT))
            if about["format"] != _FORMAT:
                raise ValueError(f"format {about['format']}, this version reads {_FORMAT}")
            origins = {int(key): Origin(**one) for key, one in about["origins"].items()}
            masks = {}
            for position in origins:
                with file.open(f"{position}.npy") as one:
                    masks[position] = np.lib.format.read_array(one, allow_pickle=False)
            return Draft(masks, origins, known_structures([str(n) for n in about["structures"]]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise RecordingError(
            f"the draft {path} cannot be read ({error}); discard it, or keep a copy of it"
        ) from error
