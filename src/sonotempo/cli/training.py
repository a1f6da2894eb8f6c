"""The commands of an experiment: train and score its arms, score others, compare them all."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.stopping import stops_on_signals
from sonotempo.cli.terminal import Config, FollowLinks, Overrides, make_console
from sonotempo.folders import make_folder


def crossval(  # noqa: PLR0917
    config: Config,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; by default runs/<name>.")
    ] = None,
    fold: Annotated[
        list[int] | None,
        typer.Option(help="Only this fold, repeatable: several processes can share a run."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0, help="Repeatable: a run for each of these seeds, in folders seed-N of --out."
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only measure how long it would take; nothing is trained."),
    ] = False,
) -> None:
    """Train and score every arm in every fold; the same command again continues.

    engine=local engine.jobs=N runs N jobs side by side, engine=ray on a cluster.
    """
    from sonotempo.config_file import load_experiment

    experiment = load_experiment(config, overrides or [])
    run = out or Path("runs") / experiment.name
    experiments = {run: experiment}
    if seed:
        experiments = {
            run / f"seed-{one}": experiment.model_copy(update={"seed": one}) for one in seed
        }
    console = make_console()
    kept = f"finished jobs and the last epoch are kept in {run}"
    with stops_on_signals(
        "nothing was written" if plan else f"{kept}: repeat the command to continue"
    ):
        from sonotempo.study.crossval import crossvalidate_seeds
        from sonotempo.study.plan import plan_runs
        from sonotempo.training.progress import RunProgress

        with RunProgress(console) as progress:
            if plan:
                made = plan_runs(experiments, progress, fold or ())
            else:
                tables = crossvalidate_seeds(experiments, progress, fold or ())
    if plan:
        console.print(made.rich())
        for line in made.sentences():
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    for folder, table in zip(experiments, tables, strict=True):
        if table is not None:
            console.print(table.rich())
            console.print(f"table, scores and bar plot: {folder}", markup=False, soft_wrap=True)


def evaluate(  # noqa: PLR0917
    weights: Annotated[
        Path,
        typer.Argument(
            help="A run folder, a weights.safetensors, an exported .onnx, or a folder of masks "
            "(--like)."
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Recordings with masks.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the scores; by default only printed.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder for fitted frames.")] = Path("cache"),
    like: Annotated[
        Path | None,
        typer.Option(
            help="For masks of another tool: the run or config to score them by; for an exported "
            "model: its run."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What such masks are called; by default as their folder.")
    ] = None,
    stress: Annotated[
        bool, typer.Option("--stress", help="Score on disturbed recordings too.")
    ] = False,
    follow_links: FollowLinks = False,
) -> None:
    """Score trained weights or an exported model on data that they have not seen, or masks."""
    if out is not None:
        make_folder(out, "--out")
    console = make_console()
    with stops_on_signals(f"fitted frames are kept in {cache}: repeat the command to start again"):
        from sonotempo.study.exported import evaluate_exported
        from sonotempo.study.other_data import evaluate_weights
        from sonotempo.study.other_tools import evaluate_masks
        from sonotempo.training.progress import RunProgress

        with RunProgress(console) as progress:
            if weights.suffix == ".onnx":
                scored = evaluate_exported(
                    weights,
                    data,
                    cache,
                    progress,
                    like=like,
                    out=out,
                    stress=stress,
                    follow_links=follow_links,
                )
            elif like is None:
                scored = evaluate_weights(
                    weights, data, cache, progress, out, stress=stress, follow_links=follow_links
                )
            else:
                scored = evaluate_masks(
                    weights,
                    data,
                    like,
                    cache,
                    progress,
                    arm=name,
                    out=out,
                    follow_links=follow_links,
                )
    console.print(scored.table.rich())
    if out is not None:
        console.print(f"scores and table: {out}", markup=False, soft_wrap=True)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders, or arms that `sonotempo evaluate --out` has scored."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap over subjects.")] = 0,
    agreement: Annotated[
        Path | None,
        typer.Option(help="CSV of `data agreement`: people's Dice, instead of the literature's."),
    ] = None,
) -> None:
    """Test over subjects how arms differ; write tables and an HTML report."""
    console = make_console()
    with stops_on_signals("repeat the command to start again"):
        from sonotempo.study.reporting import report_runs
        from sonotempo.training.progress import RunProgress

        with RunProgress(console) as progress:
            comparison = report_runs(runs, out, progress, seed=seed, agreement=agreement)
    for line in (comparison.title, *comparison.notes, *comparison.summary):
        console.print(line, markup=False, highlight=False)
    console.print(f"report, tables and numbers: {out}", markup=False, soft_wrap=True)
