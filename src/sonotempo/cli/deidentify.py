"""What `sonotempo data deidentify` asks and says."""

import sys
from collections import Counter
from pathlib import Path

import typer

from sonotempo.cli.terminal import StepBars, make_console
from sonotempo.deidentify.area import parse_area
from sonotempo.deidentify.job import Copying, deidentify
from sonotempo.deidentify.plan import Plan
from sonotempo.deidentify.writer import Outcome
from sonotempo.errors import ConfigError
from sonotempo.inspection import parse_structures

_LEFT_OUT_STATUS = 1


def run_deidentify(
    source: Path,
    target: Path,
    key: Path | None,
    area: str | None,
    *,
    yes: bool,
    sample: int,
    structures: str,
) -> None:
    """Copy, ask and report; the status is 1 if anything was left out.

    Raises:
        ConfigError: nobody can be asked.
    """
    console = make_console()
    resolved = target.resolve()
    key = key or resolved.with_name(f"{resolved.name}-key.csv")
    copying = Copying(
        source=source,
        target=target,
        key=key,
        sheet=key.with_name(f"{key.stem}-sheet.png"),
        area=None if area is None else parse_area(area),
        structures=parse_structures(structures),
        sample=sample,
    )

    def confirm(plan: Plan, shown: int) -> bool:
        bars.pause()
        _say_plan(plan, shown, copying.sheet)
        if yes:
            return True
        if not _can_be_asked():
            raise ConfigError(
                f"nobody can be asked here: look at {copying.sheet}, then repeat the command with "
                "--yes"
            )
        return typer.confirm("Does every box hold the ultrasound and no text that names somebody?")

    with StepBars(console) as bars:
        outcome = deidentify(copying, confirm, bars)
    if outcome is None:
        _say("nothing was copied; give --area if a box is wrong")
        raise typer.Exit(_LEFT_OUT_STATUS)
    _say_outcome(outcome, copying)
    if outcome.left_out:
        raise typer.Exit(_LEFT_OUT_STATUS)


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


def _say_plan(plan: Plan, shown: int, sheet: Path) -> None:
    groups = plan.by_area()
    found = Counter(item.area.found_by for item in plan.items)
    who = ", ".join(f"{count} by {name}" for name, count in found.most_common())
    _say(f"{_count(len(plan.items), 'recording')}; the ultrasound was found: {who}")
    _say(f"{sheet} shows {shown} of them, with names: look at it, and keep it with the key")
    whole = sum(item.area.box.shape == item.shape_HW for item in plan.items)
    if whole:
        _say(f"{_count(whole, 'recording')} kept whole, nothing cut off: look at each of them")
    if len(groups) > shown:
        _say(f"there are {len(groups)} different areas: give --sample {len(groups)} to see each")


def _say_outcome(outcome: Outcome, copying: Copying) -> None:
    for one in outcome.left_out:
        _say(f"left out: {one.reason}")
    kinds = Counter(one.kind for one in outcome.left_out)
    counted = "; ".join(f"{kind}: {count}" for kind, count in kinds.most_common())
    there = f", {outcome.kept} there already" if outcome.kept else ""
    _say(f"{_count(outcome.written, 'recording')} written to {copying.target}{there}")
    _say(f"{_count(len(outcome.left_out), 'file')} left out{f' ({counted})' if counted else ''}")
    if outcome.labels_cut:
        _say(
            f"warning: {outcome.labels_cut} labelled pixels lay outside the kept areas; "
            "deidentified.json says in which recordings"
        )
    _say(f"{copying.key} undoes all of this: keep it apart, and never hand it on")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _say(text: str) -> None:
    make_console().print(text, markup=False, highlight=False, soft_wrap=True)
