"""The formats that a data set can be read from, and the one way to read it.

To add one, write a module with a function like :data:`Reader` and add a line to :data:`SOURCES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from sonotempo.errors import ConfigError, RecordingError, unknown_option
from sonotempo.exchange.incoming import ImportRequest, Incoming
from sonotempo.exchange.targets import missing_package
from sonotempo.guard import guarded

Reader = Callable[[ImportRequest], tuple[Incoming, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """A format that is read.

    Attributes:
        name: on the command line.
        title: for messages.
        reader: ``module:function`` of a :data:`Reader`, imported when it is needed.
        takes: the optional settings of :class:`ImportRequest` that it reads.
    """

    name: str
    title: str
    reader: str
    takes: frozenset[str]


#: Every format that is read.
SOURCES = (
    Source(
        "coco", "COCO", "sonotempo.exchange.coco_in:read_coco", frozenset({"frames", "subject"})
    ),
    Source(
        "cvat",
        "CVAT for video 1.1",
        "sonotempo.exchange.cvat_in:read_cvat",
        frozenset({"frames", "subject", "empty_frames"}),
    ),
    Source(
        "nifti",
        "NIfTI",
        "sonotempo.exchange.nifti_in:read_nifti",
        frozenset({"labels", "subject"}),
    ),
)


def read(name: str, request: ImportRequest) -> tuple[Incoming, ...]:
    """Read what another program wrote; pixels are read when they are written.

    Raises:
        ConfigError: there is no such format, it has no such option, or a package is missing.
        RecordingError: the files cannot be used.
    """
    names = [source.name for source in SOURCES]
    if name not in names:
        raise ConfigError(unknown_option("--from", name, names))
    source = SOURCES[names.index(name)]
    if not request.source.exists():
        raise RecordingError(f"{request.source} does not exist; give what {source.title} exported")
    for option in ("frames", "labels", "subject", "empty_frames"):
        if getattr(request, option) and option not in source.takes:
            able = ", ".join(one.name for one in SOURCES if option in one.takes)
            raise ConfigError(
                f"{source.title} has no use for --{option.replace('_', '-')}; leave it out "
                f"(it is for {able})"
            )
    module, function = source.reader.split(":")
    try:
        reader: Reader = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise missing_package(f"--from {name}", error) from error
    what = f"{request.source} cannot be read as {source.title}"
    with guarded(what, "export it again", RecordingError):
        return reader(request)
