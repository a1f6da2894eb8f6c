"""`sonotempo data propagate`: labels of a few frames, carried to the frames around them."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sonotempo.cli.terminal import make_console

if TYPE_CHECKING:
    from sonotempo.live.models.onnx_predictor import OnnxPredictor
    from sonotempo.structures import StructureSet


def propagate(  # noqa: PLR0917
    source: Annotated[Path, typer.Argument(help="A folder of sparsely labelled recordings.")],
    out: Annotated[Path, typer.Argument(help="A new folder; repeat to continue.")],
    frames: Annotated[
        int | None, typer.Option(min=1, help="At most so many from a label; by default any.")
    ] = None,
    direction: Annotated[str, typer.Option(help="forward, backward or both.")] = "both",
    model: Annotated[
        str | None, typer.Option(help="An .onnx file or a ready-made model: refines outlines.")
    ] = None,
    structures: Annotated[
        str, typer.Option(help="A named set, or names separated by commas.")
    ] = "nerve+vessel",
    layout: Annotated[
        str, typer.Option(help="auto, annotation_web, stills or recordings.")
    ] = "auto",
    frames_root: Annotated[
        Path | None, typer.Option(help="The original recordings of an annotation export.")
    ] = None,
) -> None:
    """Carry the labels of a few frames along the tissue to the frames around them."""
    from rich.progress import Progress

    from sonotempo.cli.stopping import stops_on_signals
    from sonotempo.inspection import parse_layout, parse_structures
    from sonotempo.io import open_dataset
    from sonotempo.labels.dense import write_dense
    from sonotempo.labels.settings import propagation_settings

    settings = propagation_settings(frames, direction, model or "")
    named = parse_structures(structures)
    dataset = open_dataset(source, named, layout=parse_layout(layout), frames_root=frames_root)
    console = make_console()
    with ExitStack() as opened:
        refiner = opened.enter_context(_refiner(model, named)) if model else None
        opened.enter_context(stops_on_signals(f"repeat the command to continue {out}"))
        progress = Progress(console=console)
        bar = progress.add_task("propagating", total=dataset.frame_count)
        results = write_dense(
            dataset, out, settings, model=refiner, on_frame=lambda: progress.advance(bar)
        )
        opened.enter_context(progress)
        recordings = masks = 0
        for one in results:
            recordings, masks = recordings + 1, masks + one.propagated
            console.print("\n".join(one.lines), markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{masks} masks propagated in {recordings} recordings: {out}\n"
        "They are no truth until somebody has accepted them; to train on them all the same, add "
        "propagated to data.use.",
        markup=False,
        soft_wrap=True,
    )


def _refiner(model: str, structures: "StructureSet") -> "OnnxPredictor":
    """Open a model whose label values are those of the masks."""
    from sonotempo.errors import ConfigError
    from sonotempo.live.models.onnx_predictor import OnnxPredictor
    from sonotempo.live.models.ready import model_path

    path = model_path(model)
    predictor = OnnxPredictor(path, structures=structures)
    found = predictor.model.structures.names
    if found != structures.names:
        predictor.close()
        raise ConfigError(
            f"{path.name} finds {', '.join(found)}, but the labels are "
            f"{', '.join(structures.names)}; give a model of the same structures in the same order"
        )
    return predictor
