"""What a data set's folders hold that may be a recording."""

from pathlib import Path

from sonotempo.io.containment import Inside, real_path
from sonotempo.io.frame_files import folders_in
from sonotempo.io.open import contents


def candidates(inside: Inside) -> list[Path]:
    """Return the recordings of a data set, and files of unknown format to be reported.

    Every folder and file counts once, whatever links lead to it.
    """
    found: list[Path] = []
    for folder in folders_in(inside.root, inside):
        if folder == inside.root or not _holds_masks(folder):
            held = contents(folder, inside)
            found += [*held.recordings, *held.unknown]
    # A file is found where it is, and not where a link is.
    seen = {real_path(path) for path in found if not path.is_symlink()}
    kept = []
    for path in found:
        if not path.is_symlink() or path.is_dir() or real_path(path) not in seen:
            seen.add(real_path(path))
            kept.append(path)
    return kept


def _holds_masks(folder: Path) -> bool:
    images = "images" if folder.name == "masks" else folder.name.removesuffix("_masks")
    return images != folder.name and folder.with_name(images).is_dir()
