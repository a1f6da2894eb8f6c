"""File names of a recorded stream, and whether a path is one of them.

``out.mkv`` (frames), ``out.segment-2.mkv`` (frames after the first change of size), ``out.jsonl``
(all numbers that Matroska does not store), ``out.masks-MODEL.mkv`` (predictions).
"""

import re
from pathlib import Path

#: The key in the first line of a recorded stream's ``.jsonl``; its value is the format version.
STREAM_KEY = "sonotempo_stream"
STREAM_VERSION = 1

_PART = re.compile(r"^(?P<stem>.+?)(\.segment-\d+)?(\.masks-[^/]+)?$")


def lines_path(path: Path) -> Path:
    """Return the ``.jsonl`` file of a stream that is recorded to a path.

    >>> lines_path(Path("out.mkv")).name, lines_path(Path("seq")).name
    ('out.jsonl', 'seq.jsonl')
    """
    return path.with_suffix(".jsonl") if path.suffix == ".mkv" else Path(f"{path}.jsonl")


def part_path(path: Path, segment: int, model: str | None = None) -> Path:
    """Return the file of a segment, counted from 1, or of a model's masks for it.

    >>> part_path(Path("out.mkv"), 1).name, part_path(Path("out.mkv"), 2, "a b").name
    ('out.mkv', 'out.segment-2.masks-a-b.mkv')
    """
    ending = "" if segment == 1 else f".segment-{segment}"
    if model is not None:
        ending += f".masks-{plain(model)}"
    return path.with_name(f"{path.stem}{ending}{path.suffix}")


def plain(name: str) -> str:
    """Return a name that is valid on every file system."""
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "model"


def is_stream(path: Path) -> bool:
    """Whether a video is the first file of a recorded stream and has its ``.jsonl`` file."""
    if path.suffix.lower() != ".mkv":
        return False
    try:
        with lines_path(path).open(encoding="utf-8") as file:
            return STREAM_KEY in file.readline(1000)
    except (OSError, ValueError):
        return False


def is_later_part(path: Path) -> bool:
    """Whether a video belongs to a recorded stream without being its first file."""
    found = _PART.match(path.stem)
    if path.suffix.lower() != ".mkv" or found is None or found["stem"] == path.stem:
        return False
    return is_stream(path.with_name(f"{found['stem']}.mkv"))
