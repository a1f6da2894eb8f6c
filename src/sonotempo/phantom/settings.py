"""Every knob of a simulated cohort, its default and its meaning."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from sonotempo.errors import ConfigError, unknown_option
from sonotempo.structures import AXILLARY, FEMORAL, StructureSet

Procedure = Literal["axillary", "femoral"]

# Lowest and highest value of every number, with the word for its unit.
_RANGES: dict[str, tuple[float, float, str]] = {
    "subjects": (1, 100_000, "subjects"),
    "seconds": (0.1, 86_400.0, "seconds a subject"),
    "frame_rate_hz": (1.0, 120.0, "frames a second"),
    "size": (64, 1024, "pixels"),
    "seed": (0, 2**63 - 1, "as a seed"),
    "depth_cm": (2.0, 8.0, "cm"),
    "fading": (0.0, 1.0, "(0 never, 1 often and fully)"),
    "decorrelation": (0.0, 10.0, "(0 in one plane, 1 a hand-held probe)"),
    "event_rate": (0.0, 10.0, "events a second"),
    "variability": (0.0, 2.0, "(0 all subjects alike, 1 as measured)"),
}


class PhantomConfig(BaseModel):
    """A simulated cohort; unknown keys are errors.

    The knobs that make a comparison of a frame model with a sequence model falsifiable are
    ``fading``, ``decorrelation``, ``event_rate`` and ``shuffle``.

    Attributes:
        procedure: the nerve block whose anatomy is scanned; it decides the structures.
        subjects: how many, each with one recording.
        seconds: length of each recording.
        frame_rate_hz: frames a second before any is dropped.
        size: side of the square frames in pixels.
        seed: the same seed gives the same bytes.
        depth_cm: imaging depth; by default the least of the scanner's presets (2.5 to 5 cm) that
            shows the subject's nerves.
        fading: how often and how fully nerves fade with the probe's tilt, in place: 0 never.
        decorrelation: how fast speckle changes by motion across the plane, as a multiple of a
            hand-held probe's; 0 keeps the tissue's speckle for ever.
        event_rate: contact losses, depth changes, freezes and drops of frames a second, together.
        shuffle: every frame shows another subject at another time, so frames are independent
            and a memory cannot help.
        variability: how far subjects differ, as a multiple of the measured spread.
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
        """What the mask values mean."""
        return AXILLARY if self.procedure == "axillary" else FEMORAL

    @property
    def frames(self) -> int:
        """Frame periods in a recording, the dropped ones included; at least one."""
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
        return unknown_option(key, str(problem["input"]), ("axillary", "femoral"))
    if problem["type"] == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{key} is {problem['input']!r}: {problem['msg']}"
