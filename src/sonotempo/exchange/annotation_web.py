"""A data set in the layout of Annotation Web, which this toolkit reads and writes itself."""

from sonotempo.exchange.targets import Export
from sonotempo.io.writers import write_frame
from sonotempo.label_origin import write_origins


def write_annotation_web(what: Export) -> None:
    """Write ``<subject>/<recording>/frame_<number>.mhd`` with ``_gt.mhd`` masks.

    Where a recording says who made its masks, so does ``origins.json`` in its new folder.
    """
    for entry in what.entries:
        folder = entry.folder(what.folder)
        for frame in entry.frames():
            write_frame(
                folder,
                f"frame_{frame.number}",
                frame.image_HW,
                frame.mask_HW,
                spacing_mm=frame.spacing_mm,
                # The same time everywhere is read back as unknown.
                timestamp_ns=frame.timestamp_ns or 0,
            )
            what.on_frame()
        recording = entry.recording
        kept = {
            int(recording.frame_numbers[index]): recording.origins[index]
            for index in entry.indices
            if index in recording.origins and index in recording.mask_readers
        }
        if kept:
            write_origins(folder, kept)
