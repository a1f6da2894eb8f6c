"""A data set as COCO: one JSON file of annotations, and the images as PNG.

Source: https://cocodataset.org/#format-data. Masks are run lengths, or polygons where they are
asked for and a mask has no holes. What COCO has no place for (subject, recording, frame number,
time, spacing) is in additional keys of the images, which other programs pass over.
"""

import json
from typing import Any

import numpy as np
from PIL import Image as Pillow
from pycocotools import mask as coco_masks

from sonotempo.exchange.outgoing import ExchangedFrame, Outgoing
from sonotempo.exchange.outlines import outlines
from sonotempo.exchange.run_lengths import Binary
from sonotempo.exchange.targets import Export

ANNOTATIONS_FILE = "annotations.json"
IMAGES_FOLDER = "images"


def write_coco(what: Export) -> None:
    """Write ``annotations.json`` and ``images/<subject>/<recording>/frame_<number>.png``."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for entry in what.entries:
        folder = entry.folder(what.folder / IMAGES_FOLDER)
        for frame in entry.frames():
            path = folder / f"frame_{frame.number:06d}.png"
            Pillow.fromarray(frame.image_HW).save(path)
            inside = path.relative_to(what.folder / IMAGES_FOLDER).as_posix()
            images.append(_image(entry, frame, len(images) + 1, inside))
            assert frame.mask_HW is not None  # only labelled frames go out
            for label in np.unique(frame.mask_HW[frame.mask_HW > 0]).tolist():
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": len(images),
                        "category_id": label,
                        # Trainers pass over crowds, which run lengths often mark.
                        "iscrowd": 0,
                        **_segmentation(frame.mask_HW == label, what.shapes == "polygons"),
                    }
                )
            what.on_frame()
    content = {
        "info": {"description": "Written by sonotempo", "version": "1"},
        "licenses": [],
        "categories": [
            {"id": label, "name": one.name, "supercategory": "", "color": list(one.color_rgb)}
            for label, one in enumerate(what.structures, start=1)
        ],
        "images": images,
        "annotations": annotations,
    }
    text = json.dumps(content) + "\n"
    (what.folder / ANNOTATIONS_FILE).write_text(text, encoding="utf-8")


def _image(entry: Outgoing, frame: ExchangedFrame, number: int, inside: str) -> dict[str, Any]:
    height, width = frame.image_HW.shape
    return {
        "id": number,
        "file_name": inside,
        "height": height,
        "width": width,
        "subject": entry.recording.subject,
        "recording": entry.name,
        "frame_number": frame.number,
        "timestamp_ns": frame.timestamp_ns,
        "spacing_mm": frame.spacing_mm,
    }


def _segmentation(mask_HW: Binary, as_polygons: bool) -> dict[str, Any]:
    """Return the segmentation, area and bounding box of one structure."""
    packed = coco_masks.encode(np.asfortranarray(mask_HW, np.uint8))
    segmentation: Any = {"size": packed["size"], "counts": packed["counts"].decode("ascii")}
    if as_polygons:
        found = outlines(mask_HW)
        if not found.has_holes:
            segmentation = [[number for xy in part for number in xy] for part in found.outer]
    return {
        "segmentation": segmentation,
        "area": int(np.count_nonzero(mask_HW)),
        "bbox": [float(number) for number in coco_masks.toBbox(packed)],
    }
