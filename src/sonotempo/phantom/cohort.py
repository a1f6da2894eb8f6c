"""Write a simulated cohort to files, subject by subject; a rerun continues an interrupted one.

OUT/cohort.json                          all settings; a rerun must have the same
OUT/subject-003/sequence-0/frame_12.mhd  a frame; frame_12_gt.mhd is its mask
OUT/subject-003/sequence-0/truth.csv     what happened in every frame; written last
OUT/subject-003/sequence-0/subject.json  anatomy and scanner
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from itertools import takewhile
from multiprocessing import get_context
from pathlib import Path

from sonotempo.errors import ConfigError, SonotempoError
from sonotempo.folders import whole_file
from sonotempo.guard import guarded, shown
from sonotempo.io.writers import write_frame
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.phantom.simulate import Cast, PhantomFrame, cast, simulate

COHORT_FILE, TRUTH_FILE, SUBJECT_FILE = "cohort.json", "truth.csv", "subject.json"


def write_cohort(
    out: Path,
    settings: PhantomConfig,
    on_subject: Callable[[], None] = lambda: None,
    *,
    jobs: int = 1,
) -> int:
    """Simulate a cohort into a folder in the layout of Annotation Web.

    Existing subjects are kept, so repeating a call continues it, and a call with more subjects
    adds them.

    Args:
        out: the folder; made if missing.
        settings: of the cohort.
        on_subject: called after each subject, including those that existed already.
        jobs: how many processes simulate; the files are the same with any number.

    Returns:
        How many subjects this call simulated.

    Raises:
        ConfigError: the folder holds other files, or a cohort with other settings.
        SonotempoError: the folder cannot be written, or the disk is full; what was written stays
            readable.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _claim(out, settings)
        missing = [
            number
            for number in range(settings.subjects)
            if not (_recording(out, number) / TRUTH_FILE).is_file()
        ]
        for _ in range(settings.subjects - len(missing)):
            on_subject()
        if jobs > 1 and len(missing) > 1:
            _write_side_by_side(out, missing, settings, on_subject, jobs)
        else:
            for number in missing:
                _write_subject(out, number, settings)
                on_subject()
    except OSError as error:
        raise SonotempoError(
            f"{out} cannot be written ({error.strerror or error}); free some space or choose "
            "another folder, then repeat the command: it continues with what was written"
        ) from error
    return len(missing)


def recorded(start: Cast, settings: PhantomConfig) -> Iterator[PhantomFrame]:
    """Yield the frames of one recording of the length in the settings."""
    return takewhile(lambda frame: frame.index < settings.frames, simulate(start, settings))


def _claim(out: Path, settings: PhantomConfig) -> None:
    """Write the settings into an empty folder, or check that they match those in it."""
    given = settings.model_dump(mode="json")
    path = out / COHORT_FILE
    if path.is_file():
        with guarded(f"{path} is damaged", f"remove {out} and simulate again", ConfigError):
            there = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(there, dict):
            raise ConfigError(f"{path} is damaged; remove {out} and simulate again")
        same = {**given, "subjects": there.get("subjects")}
        other = [key for key in same if there.get(key) != same[key]]
        if other:
            key = other[0]
            raise ConfigError(
                f"{out} holds a cohort with {key} {shown(there.get(key))}, not {given[key]}; "
                "choose another folder, or use the same settings to continue it"
            )
        if settings.subjects <= there["subjects"]:
            return
    elif any(out.iterdir()):
        raise ConfigError(f"{out} is not empty and holds no cohort; choose an empty or new folder")
    _write_whole(path, json.dumps(given, indent=2) + "\n")


def _write_side_by_side(
    out: Path,
    numbers: Sequence[int],
    settings: PhantomConfig,
    on_subject: Callable[[], None],
    jobs: int,
) -> None:
    """Simulate subjects in processes; the first error ends them all."""
    workers = min(jobs, len(numbers))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        started = [pool.submit(_write_subject, out, number, settings) for number in numbers]
        try:
            for done in as_completed(started):
                done.result()
                on_subject()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _recording(out: Path, number: int) -> Path:
    return out / f"subject-{number:03d}" / "sequence-0"


def _write_subject(out: Path, number: int, settings: PhantomConfig) -> None:
    folder, start = _recording(out, number), cast(settings, number)
    folder.mkdir(parents=True, exist_ok=True)
    described = {
        "subject": folder.parent.name,
        "procedure": settings.procedure,
        "scanner": start.scanner.name,
        "depth_cm": start.depth_cm,
        "anatomy": asdict(start.subject),
    }
    _write_whole(folder / SUBJECT_FILE, json.dumps(described, indent=1) + "\n")
    names = [name for name in settings.structures.names if name.endswith("nerve")]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    visible = [f"visible: {name}" for name in settings.structures.names]
    table.writerow((*_COLUMNS, *(f"{name} gain" for name in names), *visible))
    expected = 0
    for frame in recorded(start, settings):
        missing, expected = frame.index - expected, frame.index + 1
        write_frame(
            folder,
            f"frame_{frame.index}",
            frame.image_HW,
            frame.mask_HW,
            spacing_mm=frame.spacing_mm,
            timestamp_ns=frame.timestamp_ns,
        )
        gains = [f"{frame.nerve_gains.get(name, 0):.3f}" for name in names]
        seen = [int(name in frame.visible) for name in settings.structures.names]
        table.writerow((*_row(frame, missing), *gains, *seen))
    _write_whole(folder / TRUTH_FILE, text.getvalue())


_COLUMNS = (
    *("frame", "timestamp_ms", "event", "lifted", "dropped_before", "depth_mm", "spacing_mm"),
    *("lateral_mm", "across_mm", "tilt_deg", "pressure", "pulse"),
)


def _row(frame: PhantomFrame, missing: int) -> tuple[str, ...]:
    pose, disturbance = frame.pose, frame.disturbance
    events = [
        *(["contact loss"] if disturbance.lifted > 0 else []),
        *(["depth change"] if disturbance.depth_step else []),
        *(["freeze"] if disturbance.frozen else []),
        *(["drop"] if missing else []),
    ]
    numbers = (pose.lateral_mm, pose.across_mm, pose.tilt_deg, pose.pressure, pose.pulse)
    return (
        str(frame.index),
        f"{frame.timestamp_ns / 1e6:.3f}",
        "+".join(events),
        f"{disturbance.lifted:.3f}",
        str(missing),
        f"{frame.depth_mm:g}",
        f"{frame.spacing_mm[0]:.6f}",
        *(f"{number:.3f}" for number in numbers),
    )


def _write_whole(path: Path, text: str) -> None:
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")
