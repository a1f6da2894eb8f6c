"""Opens the files of a recorded stream: FFV1 in Matroska, or a folder of MetaImage files."""

from pathlib import Path

from sonotempo.errors import SourceError
from sonotempo.io.stream_files import lines_path
from sonotempo.live.recording.lines import StreamFiles
from sonotempo.live.recording.matroska import MatroskaFiles
from sonotempo.live.recording.metaimage import MetaImageFiles


def open_stream_files(path: Path) -> StreamFiles:
    """Create the files of a recording: Matroska for a name in ``.mkv``, else a MetaImage folder.

    Raises:
        SourceError: it exists already, it cannot be written, or PyAV is missing.
    """
    if path.suffix and path.suffix != ".mkv":
        raise SourceError(
            f"{path} cannot be recorded to; give a name ending in .mkv (lossless video), or one "
            "without an ending for a folder of MetaImage files"
        )
    for taken in (path, lines_path(path)):
        if taken.exists():
            raise SourceError(f"{taken} exists already; record to another name")
    try:
        if path.suffix == ".mkv":
            path.parent.mkdir(parents=True, exist_ok=True)
            return MatroskaFiles(path)
        path.mkdir(parents=True)
        return MetaImageFiles(path)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written ({error.strerror or error}); record to another place"
        ) from error
