"""A data set in the layout of Annotation Web, which this toolkit reads and writes itself."""

from sonotempo.exchange.targets import Export
from sonotempo.io.writers import write_frame
from sonotempo.label_origin import read_origins, write_origins


def write_annotation_web(what: Export) -> None:
    """Write ``<subject>/<recording>/frame_<number>.mhd`` with ``_gt.mhd`` masks.

    Where the recording's folder says who made its masks, so does the new one.
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
        source = entry.recording.source
        origins = read_origins(source) if source.is_dir() else {}
        kept = {number: origins[number] for number in entry.frame_numbers if number in origins}
        if kept:
            write_origins(folder, kept)
