"""A comparison of runs and every file that people read of it, in one folder."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.comparison.record import Comparison
from sonotempo.evaluation.report.files import write_comparison
from sonotempo.evaluation.report.page.page import write_report
from sonotempo.study.clips import report_clips
from sonotempo.training.progress import RunProgress


def report_runs(
    runs: Sequence[Path],
    out: Path,
    progress: RunProgress,
    *,
    seed: int = 0,
    agreement: Path | None = None,
) -> Comparison:
    """Compare the arms of runs and write numbers, tables and page into a folder.

    Args:
        runs: run folders, or arms that `sonotempo evaluate` has scored.
        out: gets ``comparison.json``, ``comparison.csv``, ``tables.tex``, ``tables.md`` and
            ``report.html``; made if missing.
        progress: advanced after every pair and recording.
        seed: of the bootstrap.
        agreement: what ``sonotempo data agreement --out`` wrote, for the lines of human agreement.

    Raises:
        ConfigError: a folder is not a run or is unfinished, or its arms cannot be compared.
        SonotempoError: the folder cannot be written.
    """
    progress.step("reading scores", len(runs))
    comparison = compare(
        runs,
        seed=seed,
        agreement=agreement,
        on_run=progress.advance,
        on_pairs=lambda n: progress.step("comparing", n),
        on_pair=progress.advance,
    )
    write_comparison(comparison, out)
    command = shlex.join(["sonotempo", "compare", *(run.name for run in runs)])
    if seed:
        command += f" --seed {seed}"
    if agreement is not None:
        command += f" --agreement {shlex.quote(agreement.name)}"
    write_report(comparison, report_clips(runs, progress), out / "report.html", command=command)
    return comparison
