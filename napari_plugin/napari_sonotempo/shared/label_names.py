"""The names of the label values in a folder's masks, and where they are stored.

Annotation Web exports name no labels. These files do, in the folder of the frames or in one of
the three folders above it:

- ``metadata.txt`` with lines such as ``label 1: blood`` (Annotation Web's own file of "key: value"
  lines, which the plugin writes too);
- ``cohort.json`` or ``subject.json`` of a simulated cohort, which name its procedure.

Otherwise labelme polygons give their own names, and the labels found in masks are called
``label 1``, ``label 2``…
"""

import json
import re
from pathlib import Path

from napari_sonotempo.shared.layers import known_structures, label_names
from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.io.dataset import still_folders
from sonotempo.io.formats import IMAGES
from sonotempo.io.frame_files import image_files
from sonotempo.io.images import read_labels
from sonotempo.io.limits import limits
from sonotempo.io.metaimage import read_mask
from sonotempo.structures import NAMED_SETS, NERVE_VESSEL, StructureSet, structure_set

METADATA_FILE = "metadata.txt"
# Label values have at most three digits.
_MOST_DIGITS = 3
_LABEL = re.compile(r"\s*label\s+(\d{1,3})\s*:\s*(.*\S)\s*", re.IGNORECASE)
_FOLDERS_UP = 3
_MASKS_READ = 200


def named_structures(path: Path) -> StructureSet:
    """Return what the masks of a recording or folder of recordings mean.

    Raises:
        ConfigError: a file repeats a name.
    """
    folder = path if path.is_dir() else path.parent
    resolved = folder.resolve()
    for place in (resolved, *list(resolved.parents)[:_FOLDERS_UP]):
        found = _from_metadata(place / METADATA_FILE) or _from_phantom(place)
        if found is not None:
            return found
    if not path.is_dir():
        return NERVE_VESSEL  # one file holds no masks: these names are for masks the user draws
    drawn = _polygon_names(folder)
    if drawn:
        return drawn
    highest = _highest_label(folder)
    return label_names(highest) if highest else NERVE_VESSEL


def metadata_lines(structures: StructureSet) -> list[str]:
    """Return the lines that name the structures in ``metadata.txt``."""
    return [f"label {label}: {name}" for label, name in enumerate(structures.names, start=1)]


def _from_metadata(path: Path) -> StructureSet | None:
    if not path.is_file():
        return None
    try:
        lines = limits().text_of(path).splitlines()
    except (OSError, UnicodeDecodeError, RecordingError):
        return None  # a file of that name that is not Annotation Web's
    found = {int(m[1]): m[2] for line in lines if (m := _LABEL.fullmatch(line))}
    if not found:
        return None
    if sorted(found) != list(range(1, len(found) + 1)):
        raise RecordingError(
            f"{path} names the labels {', '.join(map(str, sorted(found)))}; expected every number "
            f"from 1 to {len(found)}"
        )
    return known_structures([found[label] for label in sorted(found)])


def _from_phantom(folder: Path) -> StructureSet | None:
    for name in ("cohort.json", "subject.json"):
        path = folder / name
        if path.is_file():
            try:
                with guarded(f"{path} cannot be read", "copy it again", RecordingError):
                    procedure = json.loads(limits().text_of(path))["procedure"]
            except RecordingError:
                continue
            if str(procedure) in NAMED_SETS:  # else another program's file of that name
                return structure_set(str(procedure))
    return None


def _polygon_names(folder: Path) -> StructureSet | None:
    """Return the labels of labelme polygons, as the named set that has them all if there is one."""
    names: list[str] = []
    for path in sorted(folder.rglob("*.json")):
        if not any(path.with_suffix(suffix).is_file() for suffix in (".mhd", *IMAGES.suffixes)):
            continue
        try:
            with guarded(f"{path} cannot be read", "export it again", RecordingError):
                shapes = json.loads(limits().text_of(path, "utf-8-sig"))["shapes"]
                names += [str(shape["label"]).strip() for shape in shapes]
        except RecordingError:
            continue  # opening the recording reports what is wrong with it
    names = list(dict.fromkeys(names))
    numbers = [int(name) for name in names if name.isdecimal() and len(name) <= _MOST_DIGITS]
    if not names or len(numbers) == len(names):
        return label_names(max(numbers)) if numbers else None
    wanted = {name.casefold() for name in names}
    for known in NAMED_SETS.values():
        if wanted <= {name.casefold() for name in known.names}:
            return known
    return structure_set(names)


def _highest_label(folder: Path) -> int:
    """Return the highest label value in up to 200 evenly spaced masks; 0 without masks."""
    stills = still_folders(folder)
    masks = [*sorted(folder.rglob("*_gt.mhd")), *(image_files(stills[1]) if stills else [])]
    step = max(1, len(masks) // _MASKS_READ)
    highest = 0
    for mask in masks[::step]:
        try:
            labels_HW = read_mask(mask) if mask.suffix == ".mhd" else read_labels(mask)
        except RecordingError:
            continue  # opening the recording reports what is wrong with it
        highest = max(highest, int(labels_HW.max(initial=0)))
    return highest
