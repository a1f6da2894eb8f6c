"""A simulated scanner as a live source: it runs until stopped and has depth, gain and freeze."""

# The phantom needs scipy, which takes a second to import: only when a simulation is opened.
# ruff: noqa: PLC0415

import re
import time
from dataclasses import astuple, replace
from functools import partial
from typing import TYPE_CHECKING, Self
from typing import cast as as_type

import numpy as np
from PIL import Image as Pillow

from sonotempo.errors import ConfigError, SourceError
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.address import Address
from sonotempo.live.sources.separate import SeparateSource
from sonotempo.live.sources.source import BufferSize, Command
from sonotempo.live.sources.threaded import ThreadedSource
from sonotempo.phantom.settings import Procedure, phantom_settings
from sonotempo.recording import Box, Image

if TYPE_CHECKING:
    from sonotempo.phantom.simulate import PhantomFrame, Scan

_GAIN_STEP_DB = 2.0
_GAIN_LIMIT_DB = 20.0
_ENLARGED = 2
_PORTABLE_SUBJECT = 1  # subjects take turns on the three scanners


class SimulatedSource(ThreadedSource):
    """Scans the phantom (see ``docs/phantom.md``) in real time, until stopped.

    Every frame is computed when it is due: nothing is repeated, and memory use is constant. The
    echoes are computed at half of the frame's resolution, still finer than the networks' 256
    pixels, and enlarged by linear interpolation, as in a scan converter. A frame of 640×480 pixels
    takes the default (portable) scanner about 10 ms of one core. If that is longer than a frame
    period, periods are left out: the tissue moves at its own speed and the frame rate drops, as on
    a slow scanner.

    Preparing the anatomy takes about a second ("connecting"). "depth+" and "depth-" step through
    the scanner's presets, which changes spacing and image area; "gain+" and "gain-" change the gain
    by 2 dB before log compression. While frozen, no frames are written and only "freeze" is
    accepted.

    Args:
        procedure: the nerve block whose anatomy is scanned.
        seed: the same seed shows the same anatomy.
        subject: number in the seed's cohort; it also selects the scanner (1: a portable one).
        frame_rate_hz: the highest frame rate.
        height_px: rows of a frame, an even number.
        width_px: columns of a frame, an even number.
        fading: how often and how fully nerves fade with the probe's tilt.
        contact_losses_hz: how often per second the probe loses contact over part of its width.

    Raises:
        ConfigError: an unknown procedure, or a number out of range.
    """

    def __init__(
        self,
        procedure: Procedure = "axillary",
        seed: int = 0,
        *,
        subject: int = _PORTABLE_SUBJECT,
        frame_rate_hz: float = 30.0,
        height_px: int = 480,
        width_px: int = 640,
        fading: float = 0.5,
        contact_losses_hz: float = 0.0,
    ) -> None:
        from sonotempo.phantom.disturbances import Events
        from sonotempo.phantom.simulate import cast

        if any(not 128 <= side <= 2048 or side % _ENLARGED for side in (height_px, width_px)):
            raise ConfigError(
                f"simulated frames of {height_px}x{width_px} pixels (rows x columns); expected "
                "even numbers from 128 to 2048"
            )
        super().__init__("this simulated scanner")
        self._shape_HW = height_px, width_px
        self._settings = phantom_settings(
            procedure=procedure,
            seed=seed,
            frame_rate_hz=frame_rate_hz,
            size=height_px // _ENLARGED,
            fading=fading,
            event_rate=0,
        )
        self._cast = cast(self._settings, subject)
        self._contact = Events(
            np.random.default_rng([seed, subject]),
            contact_losses_hz,
            frame_rate_hz,
            kinds=("contact loss",),
        )
        self._clear()

    @classmethod
    def open_separate(cls, address: Address) -> SeparateSource:
        """Make the simulation that an address names, in a separate process; see :meth:`open`."""
        return SeparateSource("this simulated scanner", partial(cls.open, address))

    @classmethod
    def open(cls, address: Address) -> Self:
        """Make the simulation that an address names.

        For example ``phantom://femoral?seed=3`` or ``phantom://femoral?contact-losses=0.3``, which
        loses contact 0.3 times per second.

        Raises:
            SourceError: an unknown option, a seed that is not a whole number, or a rate that is not
                a number from 0 to 10.
            ConfigError: an unknown procedure.
        """
        address.check_options(["seed", "contact-losses"])
        seed = address.options.get("seed", "0")
        if not seed.isdecimal():
            raise SourceError(
                f"{address.text} has the seed {seed!r}; expected a whole number from 0"
            )
        rate = address.options.get("contact-losses", "0")
        if not re.fullmatch(r"\d+(\.\d+)?", rate) or float(rate) > 10:
            raise SourceError(
                f"{address.text} has contact-losses={rate!r}; expected a number from 0 to 10 (per "
                "second)"
            )
        # The settings refuse an unknown procedure.
        procedure = as_type("Procedure", address.host)
        return cls(procedure, int(seed), contact_losses_hz=float(rate))

    def _clear(self) -> None:
        self._depth = self._cast.depths_cm.index(self._cast.depth_cm)
        self._gain_db = 0.0
        self._depth_steps = 0  # requested, but not yet in a frame
        self._gain_turned_db = 0.0

    @property
    def takes_framing(self) -> bool:
        """No: the simulation knows its area and scale."""
        return False

    @property
    def commands(self) -> tuple[Command, ...]:
        """What :meth:`send` takes now; depth and gain have limits."""
        if self._state == "frozen":
            return ("freeze",)
        if self._state != "running":
            return ()
        possible: dict[Command, bool] = {
            "freeze": True,
            "depth+": self._depth + 1 < len(self._cast.depths_cm),
            "depth-": self._depth > 0,
            "gain+": self._gain_db < _GAIN_LIMIT_DB,
            "gain-": self._gain_db > -_GAIN_LIMIT_DB,
        }
        return tuple(command for command, can in possible.items() if can)

    def buffer_size(self) -> BufferSize:
        """Return the size and the highest rate of the frames."""
        return BufferSize(self._settings.frame_rate_hz, *self._shape_HW)

    def _prepare(self, handle: BufferHandle) -> None:
        self.check_room(handle)
        self._clear()
        self._state = "connecting"
        self._log.add("connecting", f"{self._settings.procedure} phantom")

    def _carry_out(self, command: Command) -> None:
        if command == "freeze":
            self._freeze()
        elif command in ("depth+", "depth-"):
            by = 1 if command == "depth+" else -1
            self._depth += by
            self._depth_steps += by
        else:
            by_db = _GAIN_STEP_DB if command == "gain+" else -_GAIN_STEP_DB
            self._gain_db += by_db
            self._gain_turned_db += by_db

    def _freeze(self) -> None:
        if self._state == "running":
            self._state = "frozen"
            self._log.add("frozen")
        else:
            self._state = "running"
            self._log.add("running")

    def _run(self, writer: RingWriter) -> None:
        from sonotempo.phantom.simulate import Scan

        width = self._shape_HW[1] // _ENLARGED
        scan = Scan(self._cast, self._settings, width=width, has_all_depths=True)
        with self._changed:
            self._state = "running"
            self._log.add("connected", f"{self._cast.scanner.name}, {self._depth_text}")
        self._scan(scan, writer)

    def _scan(self, scan: "Scan", writer: RingWriter) -> None:
        period_ns = 1e9 / self._settings.frame_rate_hz
        began_ns = time.monotonic_ns()
        index = 0
        while self._wait_unfrozen():
            index = max(index, int((time.monotonic_ns() - began_ns) / period_ns))
            frame = self._next(scan, index)
            row_mm, column_mm = frame.spacing_mm
            image_HW, area = _enlarged(frame.image_HW), scan.area
            due_ns = began_ns + round(index * period_ns)
            if not self._wait((due_ns - time.monotonic_ns()) / 1e9):
                return
            with self._changed:
                if self._state == "running":  # it may have been frozen meanwhile
                    writer.write(
                        image_HW,
                        probe_ns=frame.timestamp_ns,
                        spacing_mm=(row_mm / _ENLARGED, column_mm / _ENLARGED),
                        area=Box(*(_ENLARGED * edge for edge in astuple(area))),
                    )
            index += 1

    def _next(self, scan: "Scan", index: int) -> "PhantomFrame":
        """Apply the requested depth and gain, then compute a frame."""
        with self._changed:
            steps, self._depth_steps = self._depth_steps, 0
            turned_db, self._gain_turned_db = self._gain_turned_db, 0.0
            if steps:
                self._log.add("depth", self._depth_text)
            if turned_db:
                self._log.add("gain", f"{self._gain_db:+.0f} dB")
        scan.turn_gain(turned_db)
        return scan.next(index, replace(self._contact.step(), depth_step=steps))

    @property
    def _depth_text(self) -> str:
        return f"{self._cast.depths_cm[self._depth]:g} cm"

    def _wait_unfrozen(self) -> bool:
        """Wait while frozen; return whether to continue."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._state == "running")
        return not self._stopping


def _enlarged(image_HW: Image) -> Image:
    """Double the size of a picture by linear interpolation."""
    height, width = image_HW.shape
    size = (_ENLARGED * width, _ENLARGED * height)
    return np.asarray(Pillow.fromarray(image_HW).resize(size, Pillow.Resampling.BILINEAR))
