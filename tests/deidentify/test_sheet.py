"""The sheet shows each area once before any twice, and the box in its place."""

import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from fakes.patients import TISSUE, screens
from sonotempo.deidentify.area import Area
from sonotempo.deidentify.plan import Item, Plan
from sonotempo.deidentify.sheet import samples, write_sheet
from sonotempo.recording import Box, Recording
from sonotempo.structures import NERVE_VESSEL


def item(name, box, frames=None):
    frames = screens(2) if frames is None else frames
    recording = Recording(
        Path(name), "s", name, frames, np.arange(len(frames), dtype=np.int64), NERVE_VESSEL
    )
    shape = frames[0].shape
    return Item("video", name, (), "s", recording, Area(box, "changing pixels"), shape)


def test_every_area_is_shown_before_one_is_shown_twice():
    rare, frequent = Box(0, 0, 9, 9), Box(1, 1, 9, 9)
    plan = Plan([*(item(f"a{i}", frequent) for i in range(5)), item("b", rare)])
    shown = [one.original for one in samples(plan, 3)]
    assert shown[1] == "b"
    assert len({*shown}) == 3
    assert shown == [one.original for one in samples(plan, 3)]
    assert len(samples(plan, 99)) == 6


def test_what_is_cut_off_is_dim_and_the_box_is_drawn(tmp_path):
    frames = np.full((2, 120, 160), 200, np.uint8)
    path = tmp_path / "sheet.png"
    write_sheet([item("a" * 200, TISSUE, frames)] * 4, path)
    sheet = np.array(Pillow.open(path)).astype(int)
    scale = 460 / 160
    row, column = round(70 * scale) + 12, round(90 * scale) + 12
    assert sheet[row, column].tolist() == [200, 200, 200]
    assert sheet[12 + 20, 12 + 20].tolist() == [90, 90, 90]
    edge = sheet[round(TISSUE.top * scale) + 12, column]
    assert edge[1] > edge[0] + 50
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
