"""Files and recordings: every format that the toolkit reads and writes, without torch.

Calls go down this list only:

- ``dataset``: a folder of many recordings, and what was left out of it (``skipped``).
- ``open``: a file or folder as one recording.
- ``annotation_web`` (with ``labelme`` polygons): the export of the annotation tool.
- ``dicom`` (with ``dicom_header``), ``metaimage`` (with ``metaimage_header``), ``video``,
  ``images``, ``clarius_raw``: one reader a format.
- ``stream_recording`` (over ``video``, with ``stream_files`` for the names): a recorded stream.
- ``formats``: the list of formats with their readers, and which one a path is.
- ``writers``: the way back, from frames and masks to files.
- ``frame_files``, ``timing``, ``grey``: what several readers have in common.

Opening reads headers; pixels and masks are read when a frame is asked for. Whatever is wrong with
a file ends in a :class:`~sonotempo.errors.RecordingError` that names it and says what to do.
"""

from sonotempo.io.dataset import DataSet, Layout, open_dataset
from sonotempo.io.formats import FORMATS, Format
from sonotempo.io.open import open_recording
from sonotempo.io.skipped import Skipped

__all__ = [
    "FORMATS",
    "DataSet",
    "Format",
    "Layout",
    "Skipped",
    "open_dataset",
    "open_recording",
]
