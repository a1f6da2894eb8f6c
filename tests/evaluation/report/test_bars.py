from dataclasses import replace

import pytest
from PIL import Image

from sonotempo.evaluation.comparison.record import Cell
from sonotempo.evaluation.report.bars import draw_bars
from sonotempo.measures import COMPARED


def cells_of(arms, structures=("nerve", "deep vein")):
    return [
        Cell(structure, arm, one.name, 0.7, 0.1, 8, 0.7, "")
        for structure in structures
        for arm in arms
        for one in COMPARED
    ]


def colors_of(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return {color for _, color in image.convert("RGB").getcolors(1 << 24)}


def test_bars_are_drawn_with_undefined_values_and_one_subject(tmp_path):
    first, second, *others = cells_of(["frame", "sequence"])
    undefined = replace(first, mean=None, sd=None, n=0, pooled=None)
    cells = [undefined, replace(second, sd=None, n=1), *others]
    draw_bars(cells, tmp_path / "bars.png", title="Groin", notes=["Stills moved into clips."])
    colors = colors_of(tmp_path / "bars.png")
    for of_measure in ((0, 114, 178), (86, 180, 233), (230, 159, 0), (0, 158, 115)):
        assert of_measure in colors


@pytest.mark.parametrize("count", [7, 13])
def test_any_number_of_arms_is_drawn(tmp_path, count):
    draw_bars(cells_of([f"arm {i}" for i in range(count)]), tmp_path / "bars.png")
    assert colors_of(tmp_path / "bars.png")
