"""`sonotempo export`: a trained model for live use."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.terminal import make_console


def export(  # noqa: PLR0917
    run: Annotated[Path, typer.Argument(help="A run folder, or a weights.safetensors.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    fold: Annotated[int, typer.Option(min=0, help="Which fold of the run.")] = 0,
    arm: Annotated[
        list[str] | None,
        typer.Option(help="Which arm; twice with --pair. By default frame, and sequence."),
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8.")] = "fp32",
    pair: Annotated[
        bool, typer.Option("--pair", help="Two arms in one file; their encoder runs once.")
    ] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Write it though it costs more Dice than 0.01.")
    ] = False,
) -> None:
    """Write a trained model as one ONNX file for live use, checked against torch."""
    from sonotempo.export.job import export_model
    from sonotempo.training.progress import RunProgress

    console = make_console()
    with RunProgress(console) as progress:
        card = export_model(
            run,
            out,
            progress,
            fold=fold,
            arms=arm or (),
            precision=precision,
            pair=pair,
            accept_loss=accept_loss,
        )
    megabytes = out.stat().st_size / 1e6
    console.print(
        f"wrote {out}: {card.name}, {card.precision}, {megabytes:.1f} MB",
        markup=False,
        soft_wrap=True,
    )
