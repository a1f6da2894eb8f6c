"""How a figure of the page is drawn: SVG that takes the page's colours and font."""

import io
import re
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sonotempo.evaluation.comparison.rounding import number, with_unit
from sonotempo.evaluation.report.looks import COLORS, line_of
from sonotempo.measures import Measure

# Stand-ins that the page replaces by its own colours, which follow the light or dark scheme.
INK, FAINT, BAND, PAPER = "#010201", "#010202", "#010203", "#010204"
ARMS = tuple(f"#0103{place:02x}" for place in range(COLORS))
_VARIABLES = {INK: "--ink", FAINT: "--line", BAND: "--band", PAPER: "--paper"} | {
    color: f"--arm-{place}" for place, color in enumerate(ARMS)
}

RC: dict[str, Any] = {
    "svg.hashsalt": "sonotempo",  # the same figure is the same text
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the page's font
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.7,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure: its SVG element, and what it shows in words."""

    svg: str
    text: str


def named(of: Measure, value: float | None, *, signed: bool = False) -> str:
    """Write a value with its measure's title and unit."""
    return f"{of.title} {with_unit(number(value, of.decimals, signed=signed), of)}"


def subplot(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    """Make a figure without a window system and without global state."""
    figure = Figure((width_in, height_in), layout="constrained")
    return figure, figure.add_subplot()


def drawn(figure: Figure, name: str) -> str:
    """Write a figure as an SVG element, with unique ids and the page's colours and font."""
    data = io.StringIO()
    figure.savefig(data, format="svg", transparent=True, metadata={"Date": None})
    svg = data.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # Ids are needed where something refers to them, and must differ from other figures'.
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda id_: id_[0] if id_[1] in used else "", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--font)", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def line(place: int) -> dict[str, Any]:
    """Return how an arm's lines look, as matplotlib's arguments."""
    look = line_of(place)
    return {"color": ARMS[look.color], "linestyle": look.style, "marker": look.marker}
