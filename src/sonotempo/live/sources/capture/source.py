"""A capture card, a webcam or a screen as a live source."""

import time
from functools import partial
from typing import Any

from sonotempo.errors import SourceError
from sonotempo.framing import Framing
from sonotempo.image_area import is_blank
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.address import Address
from sonotempo.live.sources.capture.placing import Placing
from sonotempo.live.sources.capture.request import CaptureRequest, capture_request
from sonotempo.live.sources.separate import SeparateSource
from sonotempo.live.sources.source import BufferSize, EventKind, SourceState
from sonotempo.live.sources.threaded import ThreadedSource
from sonotempo.recording import Image

_OPEN_S, _READ_S = 5.0, 2.0
_AGAIN_S = 2.0
_LASTING_S = 5.0
_BLANK_FRAMES = 10


class CaptureSource(ThreadedSource):
    """Reads a video device until stopped, and opens it again when its cable comes back.

    Frames are grey. The ultrasound in them is the request's area; without one, the part that
    changes is taken once it is known, and an event says where it is. A picture of one grey level is
    no signal: nothing is written, and the state is "disconnected".

    Args:
        request: the device, and what its pixels are.
    """

    def __init__(self, request: CaptureRequest) -> None:
        super().__init__(request.title)
        self._request = request
        self._placing = Placing(request, lambda words: self._log.add("framing", words))
        self._clear()

    @classmethod
    def open_separate(cls, address: Address) -> SeparateSource:
        """Make the source that an address names, in a separate process: a driver may hang or die.

        Raises:
            SourceError: see :func:`.capture_request`.
        """
        request = capture_request(address)
        return SeparateSource(request.title, partial(cls, request))

    def buffer_size(self) -> BufferSize:
        """Return the size and rate that were asked for."""
        request = self._request
        return BufferSize(request.rate_hz, request.height_px, request.width_px)

    def frame_as(self, framing: Framing | None) -> None:
        """Take the user's word for where the image is; None to look for it again."""
        self._placing.ask(framing)

    def _clear(self) -> None:
        self._placing.restart()
        self._shape: tuple[int, ...] = ()
        self._blank = 0

    def _run(self, writer: RingWriter) -> None:
        """Open the device and read it, again and again."""
        said = ""
        self._log.add("connecting", self._title)
        while not self._stopping:
            began_s = time.monotonic()
            reason = self._read(writer)
            if time.monotonic() - began_s > _LASTING_S:
                said = ""
            if self._stopping:
                return
            with self._changed:
                self._state = "disconnected"
            if reason != said:  # of a device that keeps failing once, not every two seconds
                self._log.add("disconnected", reason)
                said = reason
            self._wait(_AGAIN_S)

    def _read(self, writer: RingWriter) -> str:
        """Read the device until it fails or the source is stopped; return why it failed."""
        import av  # noqa: PLC0415 (optional, and slow to import)

        self._clear()
        request = self._request
        try:
            with av.open(
                request.url,
                format=request.format,
                options=dict(request.options),
                timeout=(_OPEN_S, _READ_S),
            ) as container:
                self._become("running", "connected", f"{self._title} is read")
                for frame in container.decode(video=0):
                    if self._stopping:
                        return ""
                    self._take(frame, writer)
        except SourceError as error:  # frames of another size than was asked for
            return str(error)
        except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
            why = " ".join(str(error).split())
            return (
                f"{self._title} cannot be read ({why}); check its cable, that no other program "
                f"uses it, and its mode; it is tried again every {_AGAIN_S:g} s"
            )
        return f"{self._title} has ended; it is opened again"

    def _take(self, frame: Any, writer: RingWriter) -> None:
        """Write one frame, if it shows something."""
        host_ns = time.monotonic_ns()
        image_HW: Image = frame.to_ndarray(format="gray")
        if self._is_without_signal(image_HW):
            return
        if image_HW.shape != self._shape:
            self._require_room(writer.handle, *image_HW.shape)
            if self._shape:
                self._log.add("running", f"{self._title} now sends {_words(image_HW)}")
            self._shape = image_HW.shape
        probe_ns = host_ns
        if frame.pts is not None and frame.time_base is not None:
            probe_ns = round(frame.pts * frame.time_base * 1_000_000_000)
        framing = self._placing.see(image_HW)
        writer.write(
            image_HW,
            probe_ns=probe_ns,
            host_ns=host_ns,
            spacing_mm=framing.spacing_mm,
            area=framing.area,
            sector=framing.sector,
        )

    def _is_without_signal(self, image_HW: Image) -> bool:
        self._blank = self._blank + 1 if is_blank(image_HW) else 0
        if self._blank == _BLANK_FRAMES:
            self._become(
                "disconnected",
                "disconnected",
                "no signal: the picture is black or of one grey level; check the scanner's output "
                "and the cable",
            )
        if self._blank == 0 and self._state == "disconnected":
            self._become("running", "connected", "there is a picture again")
        return self._blank > 0

    def _become(self, state: SourceState, kind: EventKind, detail: str) -> None:
        with self._changed:
            self._state = state
        self._log.add(kind, detail)


def _words(image_HW: Image) -> str:
    return f"{image_HW.shape[1]}x{image_HW.shape[0]} pixels"
