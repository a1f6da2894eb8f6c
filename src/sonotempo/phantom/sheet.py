"""A sheet of simulated frames: both procedures on the three scanners, masks as outlines."""

from pathlib import Path

from sonotempo.folders import make_folder, writing
from sonotempo.phantom.scanners import SCANNERS
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.phantom.simulate import PhantomFrame, Scan, cast

_PROCEDURES: tuple[Procedure, ...] = ("axillary", "femoral")
_INCHES = 3.0


def draw_sheet(out: Path, *, seed: int = 0, size: int = 384, seconds: float = 1.0) -> None:
    """Draw one frame of each procedure on each scanner, plain and with its mask, into one PNG.

    Args:
        out: the PNG to write; its folder is made if missing.
        seed: the same seed draws the same subjects.
        size: side of the simulated frames in pixels.
        seconds: time of the frame in each recording.

    Raises:
        SonotempoError: the file cannot be written.
    """
    # Imported here: a simulation must not need a plotting library.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.lines import Line2D  # noqa: PLC0415

    figure = Figure(
        figsize=(_INCHES * 2 * len(SCANNERS), _INCHES * len(_PROCEDURES) * 0.95),
        layout="compressed",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(_PROCEDURES), 2 * len(SCANNERS), squeeze=False)
    keys: dict[str, Line2D] = {}
    for row, procedure in enumerate(_PROCEDURES):
        settings = PhantomConfig(
            procedure=procedure, size=size, seed=seed, event_rate=0, fading=0, depth_cm=3.5
        )
        for column, scanner in enumerate(SCANNERS):
            frame = _frame(settings, column, seconds)
            rows = round(frame.depth_mm / frame.spacing_mm[0])
            picture = frame.image_HW[:rows]
            plain, outlined = axes[row][2 * column : 2 * column + 2]
            for axis in (plain, outlined):
                axis.imshow(picture, cmap="gray", vmin=0, vmax=230)
                axis.set_axis_off()
            for label, structure in enumerate(settings.structures, start=1):
                color = "#{:02x}{:02x}{:02x}".format(*structure.color_rgb)
                inside = frame.mask_HW[:rows] == label
                if inside.any():
                    outlined.contour(inside, [0.5], colors=[color], linewidths=1.2)
                keys[structure.name] = Line2D([], [], color=color, label=structure.name)
            plain.set_title(
                f"{procedure}, scanner {scanner.name!r}, {frame.depth_mm / 10:g} cm",
                fontsize=9,
                loc="left",
            )
    figure.suptitle("simulated data", fontsize=10)
    figure.legend(
        handles=list(keys.values()), loc="outside lower center", ncols=len(keys), frameon=False
    )
    make_folder(out.parent, "--out")
    with writing(out, "--out"):
        figure.savefig(out, dpi=100)


def _frame(settings: PhantomConfig, number: int, seconds: float) -> PhantomFrame:
    return Scan(cast(settings, number), settings).at(seconds, 0)
