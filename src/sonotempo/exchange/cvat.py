"""A data set for CVAT, version 1.1 for videos: each recording is one task.

Source: https://docs.cvat.ai/docs/other/xml_format. As CVAT does itself, a shape of one frame is a
track that ends on the next. Its run lengths count along the rows of the box around the mask;
corners of polygons are corners of pixels.
"""

from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
from PIL import Image as Pillow

from sonotempo.exchange.outgoing import Outgoing
from sonotempo.exchange.outlines import outlines
from sonotempo.exchange.run_lengths import Binary, run_lengths
from sonotempo.exchange.targets import Export, Shapes
from sonotempo.recording import Image
from sonotempo.structures import StructureSet

ANNOTATIONS_FILE = "annotations.xml"
IMAGES_FOLDER = "images"


def write_cvat(what: Export) -> None:
    """Write ``<subject>/<recording>/annotations.xml`` with ``images/frame_<number>.png``.

    A frame of CVAT is the place of its image in that folder.
    """
    for entry in what.entries:
        folder = entry.folder(what.folder)
        (folder / IMAGES_FOLDER).mkdir()
        tracks: list[ElementTree.Element] = []
        shape_HW = (0, 0)
        for place, frame in enumerate(entry.same_size_frames()):
            shape_HW = frame.image_HW.shape[0], frame.image_HW.shape[1]
            path = folder / IMAGES_FOLDER / f"frame_{frame.number:06d}.png"
            Pillow.fromarray(frame.image_HW).save(path)
            if frame.mask_HW is not None:
                is_last = place == len(entry.indices) - 1
                for name, drawn in _drawn(frame.mask_HW, what.structures, what.shapes):
                    track = ElementTree.Element(
                        "track", id=str(len(tracks)), label=name, source="manual"
                    )
                    for at in (place,) if is_last else (place, place + 1):
                        _add(track, drawn, at, is_outside=at > place)
                    tracks.append(track)
            what.on_frame()
        root = ElementTree.Element("annotations")
        ElementTree.SubElement(root, "version").text = "1.1"
        root.append(_meta(entry, what.structures, shape_HW))
        root.extend(tracks)
        ElementTree.indent(root)
        ElementTree.ElementTree(root).write(
            folder / ANNOTATIONS_FILE, encoding="utf-8", xml_declaration=True
        )


def _meta(
    entry: Outgoing, structures: StructureSet, shape_HW: tuple[int, int]
) -> ElementTree.Element:
    meta = ElementTree.Element("meta")
    task = ElementTree.SubElement(meta, "task")
    count = len(entry.indices)
    for key, value in (
        ("name", f"{entry.subject}/{entry.name}"),
        ("size", str(count)),
        ("mode", "interpolation"),
        ("overlap", "0"),
        ("start_frame", "0"),
        ("stop_frame", str(count - 1)),
        ("frame_filter", ""),
    ):
        ElementTree.SubElement(task, key).text = value
    labels = ElementTree.SubElement(task, "labels")
    for structure in structures:
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = structure.name
        ElementTree.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(
            *structure.color_rgb
        )
        ElementTree.SubElement(label, "type").text = "any"
        ElementTree.SubElement(label, "attributes")
    size = ElementTree.SubElement(task, "original_size")
    ElementTree.SubElement(size, "width").text = str(shape_HW[1])
    ElementTree.SubElement(size, "height").text = str(shape_HW[0])
    return meta


def _drawn(
    mask_HW: Image, structures: StructureSet, shapes: Shapes
) -> Iterator[tuple[str, ElementTree.Element]]:
    """Yield the name of each structure in a mask with each of its shapes."""
    for label, structure in enumerate(structures, start=1):
        inside_HW = mask_HW == label
        if not inside_HW.any():
            continue
        found = outlines(inside_HW) if shapes == "polygons" else None
        if found is None or found.has_holes:
            yield structure.name, _mask(inside_HW)
            continue
        for part in found.outer:
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in part)
            yield structure.name, ElementTree.Element("polygon", points=points)


def _mask(inside_HW: Binary) -> ElementTree.Element:
    rows, columns = (np.flatnonzero(inside_HW.any(axis)) for axis in (1, 0))
    top, bottom, left, right = (int(n) for n in (rows[0], rows[-1], columns[0], columns[-1]))
    lengths = run_lengths(inside_HW[top : bottom + 1, left : right + 1])
    return ElementTree.Element(
        "mask",
        rle=", ".join(map(str, lengths)),
        left=str(left),
        top=str(top),
        width=str(right - left + 1),
        height=str(bottom - top + 1),
    )


def _add(
    track: ElementTree.Element, drawn: ElementTree.Element, at: int, *, is_outside: bool
) -> None:
    state = {"frame": str(at), "keyframe": "1", "outside": str(int(is_outside)), "occluded": "0"}
    ElementTree.SubElement(track, drawn.tag, {**state, **drawn.attrib, "z_order": "0"})
