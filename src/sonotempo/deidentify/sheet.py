"""A sheet of sample frames with the box that is kept, for somebody to look at before it is used."""

import random
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from sonotempo.deidentify.plan import Item, Plan
from sonotempo.folders import whole_file
from sonotempo.recording import Image

_COLUMNS = 3
_TILE_PX = 460
_CAPTION_PX = 46
_GAP_PX = 12
_BOX_RGB = (60, 220, 110)
_PAPER_RGB = (28, 30, 34)
_INK_RGB = (235, 235, 235)
_DIMMED = 0.45
_READABLE_BY_OWNER = 0o600


def samples(plan: Plan, count: int) -> list[Item]:
    """Return items to look at: one of each size and area first, then more of them in turn.

    Those of one area are drawn by chance: neighbours by name look alike.
    """
    chance = random.Random(0)  # the same sheet for the same data
    groups = [chance.sample(group, len(group)) for group in plan.by_area().values()]
    turns = zip_longest(*groups)
    return [item for item in chain.from_iterable(turns) if item is not None][:count]


def write_sheet(items: list[Item], path: Path) -> None:
    """Draw a frame of each item, its box, and dimmed what is cut off. The picture holds names.

    Raises:
        RecordingError: a frame cannot be read.
        OSError: the disk refuses.
    """
    tiles = [_tile(item) for item in items]
    columns = min(_COLUMNS, len(tiles))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    height = sum(max(tile.height for tile in row) + _GAP_PX for row in rows) + _GAP_PX
    sheet = Pillow.new("RGB", (columns * (_TILE_PX + _GAP_PX) + _GAP_PX, height), _PAPER_RGB)
    top = _GAP_PX
    for row in rows:
        for column, tile in enumerate(row):
            sheet.paste(tile, (_GAP_PX + column * (_TILE_PX + _GAP_PX), top))
        top += max(tile.height for tile in row) + _GAP_PX
    with whole_file(path) as draft:
        draft.touch(_READABLE_BY_OWNER)
        sheet.save(draft, "PNG")


def _tile(item: Item) -> Pillow.Image:
    image_HW: Image = item.recording.images[len(item.recording) // 2]
    box = item.area.box
    shown = (image_HW * _DIMMED).astype(np.uint8)
    shown[box.top : box.bottom, box.left : box.right] = image_HW[
        box.top : box.bottom, box.left : box.right
    ]
    scale = _TILE_PX / image_HW.shape[1]
    size = _TILE_PX, max(1, round(image_HW.shape[0] * scale))
    picture = Pillow.fromarray(shown).convert("RGB").resize(size)
    corners = [round(edge * scale) for edge in (box.left, box.top, box.right, box.bottom)]
    corners[2], corners[3] = min(corners[2], size[0]) - 1, min(corners[3], size[1]) - 1
    ImageDraw.Draw(picture).rectangle(corners, outline=_BOX_RGB, width=2)
    tile = Pillow.new("RGB", (_TILE_PX, size[1] + _CAPTION_PX), _PAPER_RGB)
    tile.paste(picture, (0, 0))
    brush = ImageDraw.Draw(tile)
    font = ImageFont.load_default(14)
    name = item.original
    while brush.textlength(name, font) > _TILE_PX and len(name) > 4:
        name = "…" + name[2:]
    said = f"area {box.top},{box.left},{box.bottom},{box.right} by {item.area.found_by}"
    brush.text((0, size[1] + 4), name, _INK_RGB, font)
    brush.text((0, size[1] + 22), said, _BOX_RGB, font)
    return tile
