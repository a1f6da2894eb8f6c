"""Which files a data set may reach: those in its folder, unless the user follows links.

A header can name any file of the computer as its pixels, and a link can lead anywhere. What is
outside the folder that the user named is not read, so that a data set from elsewhere cannot pull
other files into results.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.guard import shown


@dataclass(frozen=True, slots=True)
class Inside:
    """A folder that files must not leave.

    Attributes:
        root: the folder that the user named.
        follow_links: whether files may lie elsewhere.
    """

    root: Path
    follow_links: bool = False

    def holds(self, path: Path) -> bool:
        """Whether a file or folder may be read, wherever links lead.

        >>> Inside(Path("data")).holds(Path("data/a.png"))
        True
        >>> Inside(Path("data")).holds(Path("data/../secret.png"))
        False
        """
        return self.follow_links or real_path(path).is_relative_to(real_path(self.root))

    def holds_entry(self, path: Path) -> bool:
        """Like :meth:`holds`, for an entry of a folder that is inside: only links can leave."""
        return self.follow_links or not path.is_symlink() or self.holds(path)

    def named(self, name: str, header: Path, key: str) -> Path:
        """Return the file that a header names, relative to the header's own folder.

        Args:
            name: as the header writes it.
            header: the file of the header.
            key: of the name in the header.

        Raises:
            RecordingError: the file lies outside, or the name cannot be that of a file.
        """
        if "\0" in name:
            raise RecordingError(f"{header} is damaged: its {key} is {shown(name)}; copy it again")
        path = header.parent / name
        is_plain = Path(name).name == name
        if not (self.holds_entry(path) if is_plain else self.holds(path)):
            raise RecordingError(
                f"{header} takes its pixels from {shown(name)} ({key}), outside {self.root}; "
                f"{FOLLOW_LINKS}, or copy the file next to its header"
            )
        return path

    def left_out(self, path: Path) -> str:
        """Return why a link is not followed."""
        return f"{path} is a link that leads outside {self.root}; {FOLLOW_LINKS}"


def real_path(path: Path) -> Path:
    """Return where links lead; unlike ``Path.resolve``, without an error for a link to itself."""
    return Path(os.path.realpath(path))


#: What the user does to reach files elsewhere.
FOLLOW_LINKS = "if you trust it, set data.follow_links=true or use --follow-links"


def inside(path: Path, follow_links: bool = False) -> Inside:
    """Return the limits of a file or folder that the user named: the folder, or the file's own."""
    return Inside(path if path.is_dir() else path.parent, follow_links)
