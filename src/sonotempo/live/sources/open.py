"""The kinds of live sources, and opening the one that a text names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonotempo.errors import SourceError, unknown_option
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.igtl.source import IgtlSource
from sonotempo.live.sources.address import Address, parse_address
from sonotempo.live.sources.capture.source import CaptureSource
from sonotempo.live.sources.clarius.source import ClariusSource
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.live.sources.simulated import SimulatedSource
from sonotempo.live.sources.source import FrameSource


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A kind of source.

    Attributes:
        scheme: what stands before ``://``; empty for the path of a recording.
        title: its name on screen.
        example: a text that names such a source, for messages and help texts.
        open: makes the source, not yet started.
    """

    scheme: str
    title: str
    example: str
    open: Callable[[Address], FrameSource]


#: Every kind of source. A new one is a file and a line here.
SOURCES = (
    SourceKind("phantom", "Simulation", "phantom://axillary", SimulatedSource.open_separate),
    SourceKind("", "Recording file", "a file or folder", PlaybackSource.open),
    SourceKind("clarius", "Clarius probe", "clarius://192.168.1.1:5828", ClariusSource.open),
    SourceKind(
        "igtl",
        "OpenIGTLink server",
        "igtl://127.0.0.1:18944/Image_Probe",
        IgtlSource.open,
    ),
    SourceKind(
        "capture",
        "Capture card or screen",
        "capture://0?size=1280x720",
        CaptureSource.open_separate,
    ),
)

#: Texts that name a source, for messages and help texts.
EXAMPLES = ", ".join(kind.example for kind in SOURCES)


def kind_of(text: str) -> SourceKind:
    """Return the kind of source that a text names.

    >>> kind_of("phantom://femoral").title, kind_of("anna/one.mp4").title
    ('Simulation', 'Recording file')

    Raises:
        SourceError: an unknown scheme; the message lists the known ones.
    """
    scheme, separator, _ = text.partition("://")
    kinds = {kind.scheme: kind for kind in SOURCES}
    if not separator:
        return kinds[""]
    if not scheme or scheme not in kinds:
        known = [kind for kind in kinds if kind]
        hint = unknown_option("kind of source", scheme, known)
        raise SourceError(f"{hint}. Examples: {EXAMPLES}")
    return kinds[scheme]


def open_source(
    text: str, *, sdk: Path | None = None, rate: float = 1.0, loop: bool = False
) -> FrameSource:
    """Return the source that a text names, not yet started.

    - ``clarius://ADDRESS[:PORT]``: a Clarius probe, by default on port 5828.
    - ``phantom://axillary`` or ``phantom://femoral``, optionally with ``?seed=3``: a simulation.
    - ``capture://0?size=1280x720&fps=30`` or ``capture://screen?region=0,0,800x600``: a capture
      card, a webcam or a screen.
    - ``igtl://127.0.0.1:18944/Image_Probe``: an image stream of an OpenIGTLink server.
    - anything else is the path of a recording, played at its own time stamps.

    Args:
        text: what the user typed.
        sdk: the folder of the Clarius SDK, if it is not installed.
        rate: how many times faster than recorded; for recordings only.
        loop: whether a recording restarts after its end.

    Raises:
        SourceError: an unknown kind of source, or an invalid address.
        RecordingError: the path cannot be read as a recording.
    """
    return kind_of(text).open(parse_address(text, sdk=sdk, rate=rate, loop=loop))


def buffer_for(source: FrameSource, seconds: float = 10.0) -> RingBuffer:
    """Make a ring buffer that holds the last seconds of a source.

    Raises:
        SourceError: not enough shared memory.
        RecordingError: the recording's first frame cannot be read.
    """
    size = source.buffer_size()
    return RingBuffer(seconds, size.rate_hz, size.height_px, size.width_px)
