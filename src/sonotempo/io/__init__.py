"""Recordings from files and back: every format that the toolkit reads and writes, without torch.

Calls go down this list only:

- ``dataset``: a folder of many recordings, and what was ``skipped``.
- ``open``: a file or folder as one recording.
- ``annotation_web`` (with ``labelme`` polygons): exports of the annotation tool.
- ``dicom`` (with ``dicom_header`` and ``dicom_frames``), ``metaimage`` (with ``metaimage_header``),
  ``nrrd`` (with ``nrrd_pixels``), ``video``, ``images``, ``clarius_raw``: one reader per format.
- ``stream_recording`` (on ``video``, with ``stream_files`` for the names): recorded streams.
- ``formats``: the list of formats with their readers, and which one a path is.
- ``writers``: frames and masks to files.
- ``frame_files``, ``timing``, ``grey``, ``unpacking``, ``pillow_files``: shared by several readers.
- ``guard`` (around every reader), ``limits`` (what a file may ask for), ``containment`` (which
  files a data set may reach).

Opening reads headers; pixels and masks are read when a frame is requested. Every fault of a file
raises a :class:`~sonotempo.errors.RecordingError` that names the file and the remedy.
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
