"""Copy a folder of recordings without identity: plan, have it confirmed, write, report."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonotempo.deidentify.area import GivenArea
from sonotempo.deidentify.key import Key
from sonotempo.deidentify.plan import Item, Plan, make_plan
from sonotempo.deidentify.profile import Profile
from sonotempo.deidentify.refused import LeftOut
from sonotempo.deidentify.report import Report
from sonotempo.deidentify.sheet import samples, write_sheet
from sonotempo.deidentify.steps import Steps
from sonotempo.deidentify.writer import Outcome, Writer
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.folders import make_folder, writing
from sonotempo.structures import StructureSet


@dataclass(frozen=True, slots=True)
class Copying:
    """What to copy where.

    Attributes:
        source: a folder of recordings, or one of them.
        target: the new folder.
        key: the file of names; kept apart.
        sheet: the picture of samples to be confirmed; it shows what will be removed.
        area: the area that the user gives, if any.
        structures: the names of labels.
        sample: how many recordings the sheet shows.
    """

    source: Path
    target: Path
    key: Path
    sheet: Path
    area: GivenArea | None
    structures: StructureSet
    sample: int


def deidentify(
    request: Copying, confirm: Callable[[Plan, int], bool], progress: Steps
) -> Outcome | None:
    """Copy recordings; nothing is written to the target before ``confirm`` has answered.

    Args:
        request: what to copy where.
        confirm: gets the plan, and how many recordings the sheet shows; True to go ahead.
        progress: shows the work.

    Returns:
        What was done, or None if it was not confirmed.

    Raises:
        ConfigError: paths that would mix originals, copies and key, or a target of other origin.
        RecordingError: there is nothing to copy.
    """
    _check_paths(request)
    key = Key.load(request.key)
    report = Report.load(request.target, key.fingerprint)
    plan = make_plan(
        request.source, request.structures, request.area, progress, (request.key, request.sheet)
    )
    if not plan.items:
        raise RecordingError(_nothing(request.source, plan))
    has_dicom = any(item.kind.startswith("DICOM") for item in plan.items)
    profile = Profile(key.uid) if has_dicom else None
    shown = samples(plan, request.sample)
    make_folder(request.sheet.parent, "--key", ConfigError)
    with writing(request.sheet, "--key", ConfigError):
        write_sheet(shown, request.sheet)
    if not confirm(plan, len(shown)):
        return None
    names = _names(plan, key, progress)
    key.save()
    make_folder(request.target, "target folder", ConfigError)
    with writing(request.target, "target folder", ConfigError):
        return Writer(
            request.target,
            request.area,
            key=key,
            report=report,
            profile=profile,
            progress=progress,
        ).write(plan, names)


def _check_paths(request: Copying) -> None:
    source, target, key = (path.resolve() for path in (request.source, request.target, request.key))
    if target == source or target in source.parents or source in target.parents:
        raise ConfigError(
            f"{request.target} and {request.source} lie within each other; give a folder outside, "
            "so that copies and originals never mix"
        )
    for path, what in ((key, "--key"), (request.sheet.resolve(), "sheet")):
        if target == path or target in path.parents:
            raise ConfigError(
                f"the {what} {path.name} would lie in {request.target}, where whoever gets the "
                "copies could undo them; give a --key outside of it"
            )


def _names(plan: Plan, key: Key, progress: Steps) -> dict[Item, str]:
    """Return the new name of each item that can be read; the others are left out."""
    key.name_subjects(item.subject for item in plan.items)
    progress.step("reading checksums", len(plan.items))
    names = {}
    for item in plan.items:
        try:
            checksum = _checksum(item)
        except OSError as error:
            why = f"{error.filename} cannot be read ({error.strerror}); check its permissions"
            plan.left_out.append(LeftOut(item.files[0], "cannot be read", why))
        else:
            names[item] = key.name_file(item.original, checksum, key.subjects[item.subject])
        progress.advance()
    return names


def _checksum(item: Item) -> str:
    total = hashlib.blake2b(digest_size=16)
    for path in item.files:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "blake2b").digest())
    return total.hexdigest()


def _nothing(source: Path, plan: Plan) -> str:
    if not plan.left_out:
        return f"{source} holds no recordings; give the folder that holds them"
    return (
        f"none of the {len(plan.left_out)} files in {source} can be copied; the first: "
        f"{plan.left_out[0].reason}"
    )
