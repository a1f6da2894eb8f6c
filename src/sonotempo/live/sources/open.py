"""The source that a text names: a recording, a Clarius probe or a simulated one."""

# Each source is imported when it is asked for: recordings need readers, probes a vendor's module.
# ruff: noqa: PLC0415

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, parse_qsl, urlsplit

import numpy as np

from sonotempo.errors import SourceError, unknown_option
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.source import FrameSource

if TYPE_CHECKING:
    from sonotempo.phantom.settings import Procedure

#: What a source can be called, for messages and help texts.
EXAMPLES = "a file or folder, clarius://192.168.1.1:5828, or phantom://axillary"

_DEFAULT_SIDE_PX = 1024
_DEFAULT_RATE_HZ = 30.0


def open_source(
    text: str, *, sdk: Path | None = None, rate: float = 1.0, loop: bool = False
) -> FrameSource:
    """Return the source that a text names; it is not started.

    - ``clarius://ADDRESS[:PORT]``: a Clarius probe, port 5828 if none is given.
    - ``phantom://axillary`` or ``phantom://femoral``, if wanted with ``?seed=3``: a simulation.
    - anything else is the path of a recording, played at its own time stamps.

    Args:
        text: what the user typed.
        sdk: the folder of the Clarius SDK, if it is not installed.
        rate: how many times faster than recorded; for recordings only.
        loop: whether a recording begins again after its end.

    Raises:
        SourceError: no such kind of source, or an address that makes no sense.
        RecordingError: the path cannot be read as a recording.
    """
    if "://" not in text:
        from sonotempo.io import open_recording
        from sonotempo.live.sources.playback import PlaybackSource

        return PlaybackSource(open_recording(Path(text)), rate=rate, loop=loop)
    try:
        address = urlsplit(text)
        port = address.port
    except ValueError as error:
        raise SourceError(
            f"the source {text!r} is no address ({error}); give {EXAMPLES}"
        ) from error
    if address.scheme not in _SCHEMES:
        raise SourceError(unknown_option("kind of source", address.scheme, _SCHEMES))
    return _SCHEMES[address.scheme](address, port, sdk)


def buffer_for(source: FrameSource, seconds: float = 10.0) -> RingBuffer:
    """Make a ring buffer that holds the last seconds of a source.

    For a recording it is just as large as its frames and rate ask for; for anything else it holds
    1024×1024 pixels at 30 frames a second.

    Raises:
        SourceError: not enough shared memory.
        RecordingError: the recording's first frame cannot be read.
    """
    from sonotempo.live.sources.playback import PlaybackSource

    if not isinstance(source, PlaybackSource):
        return RingBuffer(seconds, _DEFAULT_RATE_HZ, _DEFAULT_SIDE_PX, _DEFAULT_SIDE_PX)
    height, width = source.recording[0].image_HW.shape
    steps_ns = np.diff(source.recording.timestamps_ns)
    recorded_hz = 1e9 / max(1.0, float(np.median(steps_ns))) if len(steps_ns) else 1.0
    return RingBuffer(seconds, max(1.0, recorded_hz * source.rate), height, width)


def _clarius(address: SplitResult, port: int | None, sdk: Path | None) -> FrameSource:
    from sonotempo.live.sources.clarius.source import ClariusSource

    if not address.hostname:
        raise SourceError(
            f"{address.geturl()} names no probe; give its address, for example "
            "clarius://192.168.1.1:5828"
        )
    return ClariusSource(address.hostname, port or 5828, sdk)


def _phantom(address: SplitResult, port: int | None, sdk: Path | None) -> FrameSource:
    from sonotempo.live.sources.simulated import SimulatedSource

    options = dict(parse_qsl(address.query, keep_blank_values=True))
    unknown = [name for name in options if name != "seed"]
    if unknown:
        raise SourceError(unknown_option("option of a simulated source", unknown[0], ["seed"]))
    seed = options.get("seed", "0")
    if not seed.isdecimal():
        raise SourceError(f"the seed {seed!r} of {address.geturl()} is no whole number from 0")
    procedure = cast("Procedure", address.netloc)  # the source refuses what is none
    return SimulatedSource(procedure=procedure, seed=int(seed))


_SCHEMES: dict[str, Callable[[SplitResult, int | None, Path | None], FrameSource]] = {
    "clarius": _clarius,
    "phantom": _phantom,
}
