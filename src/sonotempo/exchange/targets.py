"""The formats that a data set can be written in, and the one way to write it.

To add one, write a module with a function like :data:`Writer` and add a line to :data:`TARGETS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, get_args

from sonotempo.data.folds import Fold
from sonotempo.errors import ConfigError, unknown_option
from sonotempo.exchange.outgoing import Outgoing
from sonotempo.folders import whole_folder
from sonotempo.structures import StructureSet

#: How masks are written where a format holds both: exactly, or as outlines that can be dragged.
Shapes = Literal["masks", "polygons"]


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """What a writer is given.

    Attributes:
        folder: an empty folder to fill.
        entries: the recordings.
        structures: what mask values mean.
        shapes: how masks are written.
        folds: of a run, by the entries' recordings' subjects; empty without.
        on_frame: called after each frame.
    """

    folder: Path
    entries: Sequence[Outgoing]
    structures: StructureSet
    shapes: Shapes = "masks"
    folds: tuple[Fold, ...] = ()
    on_frame: Callable[[], None] = lambda: None


Writer = Callable[[Export], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A format that is written.

    Attributes:
        name: on the command line.
        title: for messages.
        writer: ``module:function`` of a :data:`Writer`, imported when it is needed.
        holds_unlabelled: whether frames without a mask are distinct from empty masks.
        draws_polygons: whether masks can be written as polygons.
        takes_folds: whether the folds of a run are written too.
        keeps_origins: whether it says where each mask comes from.
    """

    name: str
    title: str
    writer: str
    holds_unlabelled: bool = False
    draws_polygons: bool = False
    takes_folds: bool = False
    keeps_origins: bool = False


#: Every format that is written.
TARGETS = (
    Target("nnunet", "nnU-Net", "sonotempo.exchange.nnunet:write_nnunet", takes_folds=True),
    Target("coco", "COCO", "sonotempo.exchange.coco:write_coco", draws_polygons=True),
    Target(
        "cvat",
        "CVAT for video 1.1",
        "sonotempo.exchange.cvat:write_cvat",
        holds_unlabelled=True,
        draws_polygons=True,
    ),
    Target("nifti", "NIfTI", "sonotempo.exchange.nifti:write_nifti"),
    Target(
        "annotation-web",
        "Annotation Web",
        "sonotempo.exchange.annotation_web:write_annotation_web",
        holds_unlabelled=True,
        keeps_origins=True,
    ),
    Target(
        "labelme",
        "labelme",
        "sonotempo.exchange.labelme:write_labelme",
        holds_unlabelled=True,
        draws_polygons=True,
    ),
    Target(
        "dicom",
        "DICOM secondary capture",
        "sonotempo.exchange.dicom:write_dicom",
        holds_unlabelled=True,
    ),
)


def target_named(
    name: str, *, all_frames: bool = False, shapes: str = "masks", folds: bool = False
) -> Target:
    """Return a format, if it can hold what is asked.

    Raises:
        ConfigError: there is no such format, or it cannot hold that.
    """
    names = [target.name for target in TARGETS]
    if name not in names:
        raise ConfigError(unknown_option("--to", name, names))
    if shapes not in get_args(Shapes):
        raise ConfigError(unknown_option("--shapes", shapes, get_args(Shapes)))
    target = TARGETS[names.index(name)]
    for option, is_given, can in (
        ("--all-frames", all_frames, "holds_unlabelled"),
        ("--shapes polygons", shapes == "polygons", "draws_polygons"),
        ("--folds and --run", folds, "takes_folds"),
    ):
        if is_given and not getattr(target, can):
            able = ", ".join(one.name for one in TARGETS if getattr(one, can))
            raise ConfigError(
                f"{target.title} cannot hold what {option} asks for; leave it out, or export to "
                f"one of: {able}"
            )
    return target


def export(target: Target, what: Export) -> None:
    """Write a data set in a format, whole or not at all.

    Args:
        target: the format.
        what: the data; its ``folder`` must be new or empty.

    Raises:
        ConfigError: the folder is not empty or cannot be written, or a package is missing.
        RecordingError: a frame or a mask cannot be read, or the format cannot hold the data.
    """
    module, function = target.writer.split(":")
    try:
        write: Writer = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise missing_package(f"--to {target.name}", error) from error
    with whole_folder(what.folder, "DST", ConfigError) as draft:
        write(Export(draft, what.entries, what.structures, what.shapes, what.folds, what.on_frame))


def missing_package(option: str, error: ModuleNotFoundError) -> Exception:
    """Return the error to raise: a sentence for a package of the extra, or the error itself."""
    package = str(error.name).split(".")[0]
    if package not in ("pycocotools", "nibabel", "defusedxml"):
        return error
    return ConfigError(
        f"{option} needs the package {package!r}; install it with: pip install "
        "'sonotempo[exchange]'"
    )
