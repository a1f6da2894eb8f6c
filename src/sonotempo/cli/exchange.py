"""What `sonotempo data export` and `import` do: options into calls, bars, and what is printed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.progress import Progress

from sonotempo.data.folds import Fold, load_folds
from sonotempo.data.references import with_masks_of
from sonotempo.errors import ConfigError, unknown_option
from sonotempo.exchange.incoming import ImportRequest, write_incoming
from sonotempo.exchange.nnunet import check_name
from sonotempo.exchange.outgoing import outgoing
from sonotempo.exchange.sources import read
from sonotempo.exchange.targets import Export, Target, export, target_named
from sonotempo.inspection import parse_layout, parse_structures
from sonotempo.io import DataSet, open_dataset
from sonotempo.label_origin import Use
from sonotempo.recording import Recording

_SKIPPED_SHOWN = 10
_STRUCTURES = "nerve+vessel"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of the command, as they were typed; None where they were not."""

    structures: str | None
    layout: str | None
    frames_root: Path | None
    follow_links: bool
    use: str | None
    all_frames: bool
    shapes: str
    folds: Path | None
    run: Path | None


def export_data(console: Console, src: Path, dst: Path, to: str, options: ExportOptions) -> None:
    """Export a data set and print what was written.

    Raises:
        ConfigError: options that do not exist or do not go together, or a folder that is not empty.
        RecordingError: the data cannot be read, or the format cannot hold them.
    """
    with_folds = options.folds is not None or options.run is not None
    target = target_named(
        to, all_frames=options.all_frames, shapes=options.shapes, folds=with_folds
    )
    if target.takes_folds:
        check_name(dst.resolve().name)
    if options.run is None:
        dataset = open_dataset(
            src,
            parse_structures(options.structures or _STRUCTURES),
            layout=parse_layout(options.layout or "auto"),
            frames_root=options.frames_root,
            follow_links=options.follow_links,
        )
        _say_faults(console, dataset)
        wanted = parse_use(options.use, target)
        recordings = tuple(with_masks_of(one, wanted) for one in dataset.recordings)
        _say_unused(console, dataset.recordings, recordings, wanted)
        folds = () if options.folds is None else load_folds(options.folds)
    else:
        recordings, folds = _of_run(console, src, options.run, options)
    entries = outgoing(recordings, all_frames=options.all_frames)
    count = sum(len(entry.indices) for entry in entries)
    with _bar(console, f"writing {target.title}", count) as advance:
        export(
            target,
            Export(
                dst,
                entries,
                recordings[0].structures,
                "polygons" if options.shapes == "polygons" else "masks",
                folds,
                advance,
            ),
        )
    subjects = len({entry.subject for entry in entries})
    in_folds = f", in {len(folds)} folds" if folds else ""
    console.print(
        f"{count} frames of {len(entries)} recordings of {subjects} subjects{in_folds}: {dst}",
        markup=False,
        soft_wrap=True,
    )
    if folds:
        console.print(
            "Preprocess, then copy splits_final.json into the data set's folder in "
            "nnUNet_preprocessed, so that nnU-Net trains in the same folds.",
            soft_wrap=True,
        )


def import_data(console: Console, source: str, request: ImportRequest, dst: Path) -> None:
    """Import annotations and print what was written.

    Raises:
        ConfigError: options that do not exist or do not go together, or a folder that is not empty.
        RecordingError: the files cannot be used.
    """
    entries = read(source, request)
    with _bar(console, "reading", sum(entry.count for entry in entries)) as advance:
        made = write_incoming(entries, dst, advance)
    console.print(
        f"{made.frames} frames, {made.labelled} of them labelled, of {made.recordings} recordings "
        f"of {made.subjects} subjects: {dst}\nLabel values from 1: "
        f"{', '.join(request.structures.names)}",
        markup=False,
        soft_wrap=True,
    )


def _of_run(
    console: Console, src: Path, run: Path, options: ExportOptions
) -> tuple[tuple[Recording, ...], tuple[Fold, ...]]:
    given = {
        "--structures": options.structures,
        "--layout": options.layout,
        "--frames-root": options.frames_root,
        "--use": options.use,
        "--folds": options.folds,
    }
    double = [name for name, value in given.items() if value is not None]
    if double:
        raise ConfigError(
            f"{' and '.join(double)} cannot be given with --run, whose own hold; leave them out"
        )
    from sonotempo.study.nnunet import run_recordings
    from sonotempo.training.progress import RunProgress

    with RunProgress(console) as progress:
        return run_recordings(run, src, progress)


def parse_use(text: str | None, target: Target) -> tuple[Use, ...]:
    """Return the origins of the masks that go out.

    By default only masks go out that a person made or accepted, but for a format that says where
    they come from.

    Raises:
        ConfigError: there is no such origin.
    """
    if text is None:
        return get_args(Use) if target.keeps_origins else ("human", "accepted")
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in get_args(Use):
            raise ConfigError(unknown_option("--use", word, get_args(Use)))
    return tuple(one for one in get_args(Use) if one in words)


def _say_unused(
    console: Console, found: Sequence[Recording], used: Sequence[Recording], wanted: Sequence[Use]
) -> None:
    count = sum(len(one.labelled) for one in found) - sum(len(one.labelled) for one in used)
    if count:
        console.print(
            f"{count} masks of other origins than {', '.join(wanted)} are left out (--use)",
            soft_wrap=True,
        )


def _say_faults(console: Console, dataset: DataSet) -> None:
    if dataset.skipped:
        console.print(f"{len(dataset.skipped)} files or folders cannot be used:", soft_wrap=True)
    for bad in dataset.skipped[:_SKIPPED_SHOWN]:
        console.print(f"  {bad.reason}", markup=False, soft_wrap=True)
    if not dataset.subjects_known:
        console.print(
            "note: the data do not say who was scanned; every recording counts as a subject, and "
            "pictures of one person may end up on both sides of a fold",
            soft_wrap=True,
        )


@contextmanager
def _bar(console: Console, name: str, total: int) -> Iterator[Callable[[], None]]:
    with Progress(console=console) as progress:
        task = progress.add_task(name, total=total)
        yield lambda: progress.advance(task)
