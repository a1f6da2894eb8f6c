"""The report in the new folder: what was removed from each file and what was kept, no names."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sonotempo import __version__
from sonotempo.deidentify.area import FoundBy
from sonotempo.deidentify.discovery import ItemKind
from sonotempo.deidentify.profile import EDITION
from sonotempo.errors import ConfigError
from sonotempo.folders import whole_file

#: The report's name; a folder with one was written by this command.
REPORT_FILE = "deidentified.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What was done to one recording.

    Attributes:
        file: the new file or folder.
        kind: how it is written.
        frames: how many frames it has.
        original_HW: rows and columns before.
        kept_box: top, left, bottom and right of the pixels that were kept, in those before.
        found_by: who said where the ultrasound is.
        removed: what is gone: DICOM attributes by the standard's names, else in words.
        replaced: what holds another value.
        private_attributes: how many private DICOM attributes are gone.
        label_px: pixels with a label that were kept.
        label_px_outside: those outside the kept box.
    """

    file: str
    kind: ItemKind
    frames: int
    original_HW: tuple[int, int]
    kept_box: tuple[int, int, int, int]
    found_by: FoundBy
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    private_attributes: int = 0
    label_px: int = 0
    label_px_outside: int = 0


@dataclass(slots=True)
class Report:
    """Rows by new file, and how much was left out for which reason."""

    key: str
    rows: dict[str, Row] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def load(cls, folder: Path, fingerprint: str) -> "Report":
        """Return the report of an earlier run into a folder, or an empty one for a new folder.

        Args:
            folder: the new folder.
            fingerprint: of the key.

        Raises:
            ConfigError: the folder holds something else, or another key was used.
        """
        path = folder / REPORT_FILE
        if not path.exists():
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise ConfigError(
                    f"{folder} is not empty and not from an earlier run of this command; give a "
                    "new folder"
                )
            return cls(fingerprint)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["key"] != fingerprint:
                raise ConfigError(
                    f"{folder} was written with another key; give that --key, or a new folder"
                )
            rows = [_row(one) for one in content["files"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(
                f"{path} is not a report of 'data deidentify' ({error}); give a new folder"
            ) from error
        return cls(fingerprint, {row.file: row for row in rows})

    def _has_dicom(self) -> bool:
        return any(row.kind.startswith("DICOM") for row in self.rows.values())

    def save(self, folder: Path) -> None:
        """Write the report.

        Raises:
            OSError: the disk refuses.
        """
        content = {
            "format": _FORMAT,
            "sonotempo": __version__,
            "dicom": _dicom_profile() if self._has_dicom() else None,
            "key": self.key,
            "left_out": dict(self.left_out),
            "files": [asdict(self.rows[name]) for name in sorted(self.rows)],
        }
        with whole_file(folder / REPORT_FILE) as draft:
            draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _dicom_profile() -> str:
    return (
        f"PS3.15 Basic Application Level Confidentiality Profile, {EDITION}, by dicom-anonymizer "
        f"{version('dicom-anonymizer')}; then known fields only"
    )


def _row(fields: dict[str, Any]) -> Row:
    lists = {name: tuple(one) for name, one in fields.items() if isinstance(one, list)}
    return Row(**{**fields, **lists})
