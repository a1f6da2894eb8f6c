"""The command that checks the instrument on two controls."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.stopping import stops_on_signals
from sonotempo.cli.terminal import make_console


def selfcheck(
    out: Annotated[Path, typer.Option(help="Folder for cohorts and runs.")] = Path(
        "runs/selfcheck"
    ),
    subjects: Annotated[int, typer.Option(min=6, help="Simulated subjects.")] = 48,
    epochs: Annotated[int, typer.Option(min=1, help="Training of the frame model.")] = 14,
) -> None:
    """Check that a comparison shows memory where it must help, and only there (about 8 minutes)."""
    console = make_console()
    with stops_on_signals(f"what is finished is kept in {out}: repeat the command to continue"):
        from sonotempo.study.selfcheck import selfcheck as check
        from sonotempo.training.progress import RunProgress

        with RunProgress(console) as progress:
            found = check(out, progress, subjects=subjects, epochs=epochs)
    for sentence in found.sentences():
        console.print(sentence, markup=False, soft_wrap=True)
    if not found.tells_apart:
        raise typer.Exit(1)
