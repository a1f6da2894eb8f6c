"""What the arms drew: frames with the reference's and each arm's outlines, to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sonotempo.recording import Image
from sonotempo.structures import StructureSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Example:
    """One scored frame.

    Attributes:
        title: what it is, for example its recording and Dice.
        image_HW: the frame on the network grid.
        reference_HW: its reference mask.
        masks: each arm's mask, by the arm's name.
    """

    title: str
    image_HW: Image
    reference_HW: Image
    masks: dict[str, Image]


def draw_examples(
    examples: Sequence[Example], structures: StructureSet, out_png: Path, title: str
) -> None:
    """Draw one row per example: the frame, the reference, and every arm's outlines.

    The reference is drawn as a thin dashed outline under each arm's, so that both can be seen.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow, and scores need none)
    from matplotlib.lines import Line2D  # noqa: PLC0415

    arms = list(examples[0].masks)
    columns = ["frame", "reference", *arms]
    figure = Figure(figsize=(2.6 * len(columns), 2.8 * len(examples) + 0.8), layout="constrained")
    grid = figure.subplots(len(examples), len(columns), squeeze=False)
    for row, example in zip(grid, examples, strict=True):
        for axes, column in zip(row, columns, strict=True):
            axes.imshow(example.image_HW, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
            axes.set_title(column, fontsize=9)
        _outline(row[1], example.reference_HW, structures, dashed=False)
        for axes, arm in zip(row[2:], arms, strict=True):
            _outline(axes, example.reference_HW, structures, dashed=True)
            _outline(axes, example.masks[arm], structures, dashed=False)
        row[0].set_title(example.title, fontsize=9)
    handles = [
        Line2D([], [], color=_rgb(structure.color_rgb), label=structure.name)
        for structure in structures
    ]
    handles.append(Line2D([], [], color="white", linestyle=":", label="reference"))
    figure.suptitle(title, fontsize=10)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=6, facecolor="0.3", labelcolor="white"
    )
    figure.savefig(out_png, dpi=110, format="png")


def _outline(axes: "Axes", mask_HW: Image, structures: StructureSet, *, dashed: bool) -> None:
    for label, structure in enumerate(structures, start=1):
        inside = np.asarray(mask_HW == label, float)
        if inside.any():
            axes.contour(
                inside,
                levels=[0.5],
                colors=["white" if dashed else _rgb(structure.color_rgb)],
                linewidths=0.8 if dashed else 1.4,
                linestyles=":" if dashed else "-",
            )


def _rgb(color: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = color
    return red / 255, green / 255, blue / 255
