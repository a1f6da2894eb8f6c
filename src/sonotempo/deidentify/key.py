"""The key: which new name stands for which subject and file. Whoever has it can undo the rest.

A CSV file with the columns ``kind``, ``new``, ``original`` and ``checksum``. The row ``secret``
holds a random number from which new DICOM UIDs are made, so that runs with one key agree.
"""

import csv
import hashlib
import hmac
import io
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sonotempo.errors import ConfigError
from sonotempo.folders import make_folder, whole_file, writing

_COLUMNS = ("kind", "new", "original", "checksum")
_SECRET_BYTES = 32
_READABLE_BY_OWNER = 0o600
# Spreadsheets calculate cells that begin like this.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(slots=True)
class Key:
    """New names, and the secret behind new UIDs.

    Attributes:
        path: of the file.
        secret: 32 random bytes.
        subjects: the new name of each original subject.
        files: the new name of each original, by path in the source folder and checksum.
    """

    path: Path
    secret: bytes
    subjects: dict[str, str] = field(default_factory=dict)
    files: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Key":
        """Read a key, or make one if the file does not exist; nothing is written.

        Raises:
            ConfigError: the file is no key.
        """
        if not path.exists():
            return cls(path, secrets.token_bytes(_SECRET_BYTES))
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file, strict=True))
            found = {row["original"] for row in rows if row["kind"] == "secret"}
            key = cls(path, bytes.fromhex(found.pop()))
            for row in rows:
                original = _shown(row["original"])
                if row["kind"] == "subject":
                    key.subjects[original] = row["new"]
                elif row["kind"] == "file":
                    key.files[original, row["checksum"]] = row["new"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
            raise ConfigError(
                f"{path} is not a key that 'data deidentify' wrote ({error or 'no secret in it'}); "
                "give the --key of the earlier run, or a new name"
            ) from error
        return key

    @property
    def fingerprint(self) -> str:
        """What identifies the key without giving anything away."""
        return hashlib.sha256(b"fingerprint" + self.secret).hexdigest()[:16]

    def name_subjects(self, originals: Iterable[str]) -> None:
        """Give each subject that has none a new name, in random order: the alphabet tells much."""
        unknown = sorted(set(originals) - set(self.subjects))
        secrets.SystemRandom().shuffle(unknown)
        taken = {int(name.rpartition("-")[2]) for name in self.subjects.values()}
        for number, original in enumerate(unknown, start=max(taken, default=0) + 1):
            self.subjects[original] = f"subject-{number:03d}"

    def name_file(self, original: str, checksum: str, subject: str) -> str:
        """Return the new name of a file without its suffix: ``subject-001/0001``."""
        known = self.files.get((original, checksum))
        if known is not None and known.startswith(f"{subject}/"):
            return known
        taken = {
            int(name.split("/")[1])
            for name in self.files.values()
            if name.startswith(f"{subject}/")
        }
        name = f"{subject}/{max(taken, default=0) + 1:04d}"
        self.files[original, checksum] = name
        return name

    def uid(self, original: str) -> str:
        """Return the new UID for one: the same for the same key, and no way back without it.

        The form is that of PS3.5 B.2, a random number below the root 2.25.
        """
        digest = hmac.new(self.secret, original.encode(), hashlib.sha256).digest()
        return f"2.25.{int.from_bytes(digest[:16], 'big')}"

    def save(self) -> None:
        """Write the file, readable by its owner only.

        Raises:
            ConfigError: it cannot be written.
        """
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerow(("secret", "", self.secret.hex(), ""))
        for original, new in self.subjects.items():
            rows.writerow(("subject", new, _quoted(original), ""))
        for (original, checksum), new in self.files.items():
            rows.writerow(("file", new, _quoted(original), checksum))
        make_folder(self.path.parent, "--key", ConfigError)
        with writing(self.path, "--key", ConfigError), whole_file(self.path) as draft:
            draft.touch(_READABLE_BY_OWNER)
            draft.write_text(text.getvalue(), encoding="utf-8", newline="")


def _quoted(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _shown(text: str) -> str:
    return text.removeprefix("'")
