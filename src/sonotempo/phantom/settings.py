"""The settings of a simulated cohort."""

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from sonotempo.errors import ConfigError, unknown_option
from sonotempo.guard import shown
from sonotempo.structures import StructureSet, structure_set

#: The nerve blocks of the seed paper, and a control for memory: a nerve among bodies that look like
#: it while it fades.
Procedure = Literal["axillary", "femoral", "lookalikes"]

# Lowest and highest value of every number, and its unit.
_RANGES: dict[str, tuple[float, float, str]] = {
    "subjects": (1, 100_000, "subjects"),
    "seconds": (0.1, 86_400.0, "seconds per subject"),
    "frame_rate_hz": (1.0, 120.0, "frames per second"),
    "size": (64, 1024, "pixels"),
    "seed": (0, 2**63 - 1, "as a seed"),
    "depth_cm": (2.0, 8.0, "cm"),
    "fading": (0.0, 1.0, "(0 never, 1 often and fully)"),
    "decorrelation": (0.0, 10.0, "(0 in one plane, 1 a hand-held probe)"),
    "event_rate": (0.0, 10.0, "events per second"),
    "variability": (0.0, 2.0, "(0 all subjects alike, 1 as measured)"),
}


class PhantomConfig(BaseModel):
    """A simulated cohort; unknown keys are errors.

    ``fading``, ``decorrelation``, ``event_rate`` and ``shuffle`` decide how much a memory can
    help, which makes a comparison of a frame model with a sequence model falsifiable.

    Attributes:
        procedure: the nerve block whose anatomy is scanned; it decides the structures.
        subjects: number of subjects, each with one recording.
        seconds: length of each recording.
        frame_rate_hz: frames per second, dropped ones included.
        size: side of the square frames in pixels.
        seed: the same seed gives the same bytes.
        depth_cm: imaging depth; by default the shallowest of the scanner's presets (2.5 to 5 cm)
            that shows the subject's nerves.
        fading: how often and how completely nerves fade with the probe's tilt; 0 for never. Of the
            nerve among look-alikes, the share of the time that it is faded.
        decorrelation: how fast motion across the plane changes the speckle, relative to a
            hand-held probe; with 0 the tissue keeps its speckle.
        event_rate: contact losses, depth changes, freezes and dropped frames per second, together.
        shuffle: whether every frame shows another subject at another time, so that frames are
            independent and a memory cannot help.
        variability: spread of the anatomy, relative to the measured one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    procedure: Procedure = "axillary"
    subjects: int = 20
    seconds: float = 4.0
    frame_rate_hz: float = 20.0
    size: int = 256
    seed: int = 0
    depth_cm: float | None = None
    fading: float = 0.5
    decorrelation: float = 1.0
    event_rate: float = 0.1
    shuffle: bool = False
    variability: float = 1.0

    @field_validator(*_RANGES, mode="after")
    @classmethod
    def _in_range(cls, value: float | None, info: Any) -> float | None:
        lowest, highest, unit = _RANGES[info.field_name]
        if value is not None and not lowest <= value <= highest:
            raise ValueError(
                f"{info.field_name} is {value}; expected {lowest:g} to {highest:g} {unit}"
            )
        return value

    @property
    def structures(self) -> StructureSet:
        """The structures that the mask values stand for."""
        return structure_set(self.procedure)

    @property
    def frames(self) -> int:
        """Frame periods in a recording, dropped frames included; at least one."""
        return max(1, round(self.seconds * self.frame_rate_hz))


def phantom_settings(**given: Any) -> PhantomConfig:
    """Check settings and return them.

    >>> phantom_settings(procedure="femoral", seconds=2).frames
    40

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    try:
        return PhantomConfig.model_validate(given)
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(problem) for problem in error.errors())) from error


def _sentence(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return unknown_option("phantom setting", key, PhantomConfig.model_fields)
    if problem["type"] == "literal_error":
        return unknown_option(key, str(problem["input"]), get_args(Procedure))
    if problem["type"] == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{key} is {shown(problem['input'])}: {problem['msg']}"
