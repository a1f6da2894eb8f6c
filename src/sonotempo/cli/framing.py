"""`sonotempo data framing`: the image area and the scale of a recording."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.terminal import make_console


def framing(  # noqa: PLR0917
    recording: Annotated[Path, typer.Argument(help="A recording: a file or a folder.")],
    area: Annotated[
        str,
        typer.Option(
            help="TOP,LEFT,BOTTOM,RIGHT of the ultrasound image; find: look for it; whole: all of "
            "the frame."
        ),
    ] = "",
    mm_per_px: Annotated[float | None, typer.Option(help="The size of a pixel.")] = None,
    depth_mm: Annotated[float | None, typer.Option(help="The depth of the area instead.")] = None,
    ruler: Annotated[
        str, typer.Option(help="ROW,COLUMN,ROW,COLUMN,MM instead: two ticks and their distance.")
    ] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Forget what was set.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Write a PNG of a frame with the box, to look at.")
    ] = None,
) -> None:
    """Set the image area and scale of a recording that does not know them, or show them."""
    from sonotempo import recording_framing as work
    from sonotempo.io import open_recording

    console = make_console()
    if remove:
        console.print(f"deleted {work.remove_framing(recording)}", markup=False, soft_wrap=True)
        return
    if area or ruler or mm_per_px is not None or depth_mm is not None:
        _, file = work.set_framing(
            recording, area=area, mm_per_px=mm_per_px, depth_mm=depth_mm, ruler=ruler
        )
        console.print(f"kept in {file}", markup=False, soft_wrap=True)
    opened = open_recording(recording)
    frame = opened[0]
    rows, columns = frame.image_HW.shape
    shown, spacing_mm = frame.area, frame.spacing_mm
    where = (
        "the whole frame"
        if shown is None
        else f"{shown.top},{shown.left},{shown.bottom},{shown.right}"
    )
    if frame.sector is not None:
        where += ", of which a sector shows ultrasound"
    scale = "unknown" if spacing_mm is None else f"{spacing_mm[0]:.4g} mm per pixel"
    if spacing_mm is not None:
        depth = (rows if shown is None else shown.shape[0]) * spacing_mm[0]
        scale += f", the image is {depth:.1f} mm deep"
    console.print(f"frames: {rows}x{columns} pixels (rows x columns)", markup=False)
    console.print(f"area:   {where}\nscale:  {scale}", markup=False, soft_wrap=True)
    if picture is not None:
        work.draw_framing(opened, picture)
        console.print(f"wrote {picture}", markup=False, soft_wrap=True)
