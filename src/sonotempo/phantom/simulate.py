"""One simulated recording, frame by frame: endless, with flat memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from sonotempo.phantom.anatomy import Nerve, Plane, Subject
from sonotempo.phantom.axillary import draw_axillary
from sonotempo.phantom.displacement import tissue_coordinates
from sonotempo.phantom.disturbances import Disturbance, Events, contact
from sonotempo.phantom.fades import Fades
from sonotempo.phantom.femoral import draw_femoral
from sonotempo.phantom.imaging import Field, Imaging, view_of
from sonotempo.phantom.lookalikes import LOOK_ALIKE_GAIN, draw_lookalikes
from sonotempo.phantom.motion import Motion, Pose, kept_correlation, nerve_gain
from sonotempo.phantom.plane import TissuePlane, build_plane
from sonotempo.phantom.scanners import SCANNERS, Scanner
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.phantom.speckle import Reader, Speckle
from sonotempo.recording import Box, Image, Spacing

_SLIDE_MARGIN_MM = 10.0
_DEPTH_MARGIN_MM = 4.0
_FAINTEST_MIRROR = np.float32(0.06)  # rough layers send something back at any angle
_UNDISTURBED = Disturbance()
# Streams of random numbers, so that a change in one part leaves the others' draws alone.
_ANATOMY, _MOTION, _MACHINE, _SPECKLE, _EVENTS, _FADES = range(6)

_DRAW: dict[Procedure, Callable[[np.random.Generator, float], Subject]] = {
    "axillary": draw_axillary,
    "femoral": draw_femoral,
    "lookalikes": draw_lookalikes,
}

# A nerve is visible above this share of its full brightness; among look-alikes, from half-way
# between theirs and its own.
_VISIBLE_GAIN = 0.3
_VISIBLE_AMONG_LOOK_ALIKES = 0.5 * (1 + LOOK_ALIKE_GAIN)
# A structure is hidden where fewer of its pixels than this share lie under elements that touch.
_UNDER_CONTACT = 0.5


@dataclass(frozen=True, slots=True)
class Cast:
    """The subject and scanner of one recording, drawn before its frames.

    Attributes:
        number: of the subject in the cohort.
        subject: the anatomy.
        scanner: the machine; subjects take turns on the three.
        depth_cm: imaging depth at the start.
        seeds: of all random streams of the recording.
    """

    number: int
    subject: Subject
    scanner: Scanner
    depth_cm: float
    seeds: tuple[int, ...]

    @property
    def depths_cm(self) -> list[float]:
        """The depths that the operator can choose, shallow to deep."""
        return sorted({*self.scanner.depths_cm, self.depth_cm})

    def random(self, stream: int) -> np.random.Generator:
        """Return the generator of one stream."""
        return np.random.default_rng([*self.seeds, stream])


@dataclass(frozen=True, slots=True)
class PhantomFrame:
    """One frame with its ground truth.

    Attributes:
        index: number of its frame period; dropped frames leave gaps.
        image_HW: uint8 grey.
        mask_HW: uint8 labels of the procedure's structures, visible at the moment or not.
        timestamp_ns: time since the recording's start.
        spacing_mm: millimetres per pixel as (row, column).
        depth_mm: imaging depth.
        pose: of probe and patient.
        disturbance: of this frame.
        nerve_gains: brightness of each labelled nerve relative to its maximum, 0 to 1.
        visible: the structures that can be seen in this frame: nerves that have not faded, and
            whatever lies under elements that touch the skin; also those outside the picture.
    """

    index: int
    image_HW: Image
    mask_HW: Image
    timestamp_ns: int
    spacing_mm: Spacing
    depth_mm: float
    pose: Pose
    disturbance: Disturbance
    nerve_gains: dict[str, float]
    visible: frozenset[str]


def cast(settings: PhantomConfig, number: int, take: int = 0) -> Cast:
    """Draw the subject of this number, the scanner and the depth.

    The same seed, number and take give the same cast, however many subjects the cohort has.
    """
    seeds = (settings.seed, number, take)
    random = np.random.default_rng([*seeds, _ANATOMY])
    subject = _DRAW[settings.procedure](random, settings.variability)
    scanner = SCANNERS[number % len(SCANNERS)]
    wanted_cm = (1.12 * subject.deepest_target_mm + 4.0) / 10
    fitting = [depth for depth in scanner.depths_cm if depth >= wanted_cm]
    depth_cm = settings.depth_cm or min(fitting, default=max(scanner.depths_cm))
    return Cast(number, subject, scanner, depth_cm, seeds)


def simulate(start: Cast, settings: PhantomConfig) -> Iterator[PhantomFrame]:
    """Yield a recording's frames without end; take as many as you need.

    With ``settings.shuffle`` every frame has its own anatomy, time and speckle on the same
    scanner, so that frames are independent.
    """
    if settings.shuffle:
        yield from _unrelated(start, settings)
    else:
        yield from Scan(start, settings).frames()


def _unrelated(start: Cast, settings: PhantomConfig) -> Iterator[PhantomFrame]:
    period_ns = 1e9 / settings.frame_rate_hz
    index = 0
    while True:
        now = cast(settings, start.number, take=index + 1)
        scan = Scan(replace(now, depth_cm=start.depth_cm), settings)
        seconds = float(now.random(_MOTION).uniform(0, 1000))
        frame = scan.at(seconds, index)
        index += 1
        if not (frame.disturbance.dropped or frame.disturbance.frozen):
            yield replace(frame, timestamp_ns=round((index - 1) * period_ns))


class Scan:
    """One subject under one probe: its image in any pose, and its frames over time.

    Args:
        start: subject and scanner.
        settings: of the cohort.
        width: of the frames in pixels, if they are not square.
        has_all_depths: whether every preset can be reached instead of only the neighbouring ones;
            this computes tissue down to the deepest preset.
    """

    def __init__(
        self,
        start: Cast,
        settings: PhantomConfig,
        *,
        width: int | None = None,
        has_all_depths: bool = False,
    ) -> None:
        self._cast, self._settings, self._width = start, settings, width
        scanner = start.scanner
        self._depths_cm = start.depths_cm
        chosen = self._depths_cm.index(start.depth_cm)
        last = len(self._depths_cm) - 1
        self._reachable = (max(0, chosen - 1), min(last, chosen + 1))
        if has_all_depths:
            self._reachable = (0, last)
        self._depth = chosen
        self._turned_db = 0.0
        self._period_s = 1 / settings.frame_rate_hz
        self._motion = Motion(start.random(_MOTION), settings)
        self._fades = Fades(start.random(_FADES), settings.fading, LOOK_ALIKE_GAIN)
        self._seconds = 0.0
        self._events = Events(start.random(_EVENTS), settings.event_rate, settings.frame_rate_hz)
        view = view_of(settings.size, 10 * start.depth_cm, scanner.aperture_mm, width)
        self.plane: TissuePlane = build_plane(
            start.subject,
            settings.structures,
            scanner.aperture_mm / 2 + _SLIDE_MARGIN_MM,
            10 * self._depths_cm[self._reachable[1]] + _DEPTH_MARGIN_MM,
            view.spacing_mm / view.oversampling,
        )
        self._speckle = Speckle(start.random(_SPECKLE), self.plane.label_HW.shape, self.plane.blood)
        self._imaging: dict[int, Imaging] = {}
        self._mirrors_HW, self._mirrors_at = self.plane.specular_HW, np.inf
        self._shown: Plane | None = None
        self._pose = self._motion.pose(0.0)

    @property
    def area(self) -> Box:
        """The box of the picture in the frame at the current depth."""
        return self._current_imaging().view.area

    def turn_gain(self, by_db: float) -> None:
        """Change the operator's gain from the next frame on."""
        self._turned_db += by_db

    def frames(self) -> Iterator[PhantomFrame]:
        """Yield frames over time without end; dropped ones are left out."""
        index, last = 0, None
        while True:
            pose = self._move_on(index)
            disturbance = self._events.step()
            if not disturbance.dropped:
                if disturbance.frozen and last is not None:
                    frame = replace(last, disturbance=disturbance)
                else:
                    frame = self.frame(index, pose, replace(disturbance, frozen=False))
                last = replace(frame, index=index, timestamp_ns=self._time_ns(index))
                yield last
            index += 1

    def next(self, index: int, disturbance: Disturbance = _UNDISTURBED) -> PhantomFrame:
        """Return the frame of a later period than the previous call's; periods may be skipped."""
        frame = self.frame(index, self._move_on(index), disturbance)
        return replace(frame, timestamp_ns=self._time_ns(index))

    def _move_on(self, index: int) -> Pose:
        """Advance motion and speckle to another period."""
        self._seconds = index * self._period_s
        before, self._pose = self._pose, self._motion.pose(self._seconds)
        self._speckle.step(kept_correlation(before, self._pose, self._settings.decorrelation))
        return self._pose

    def _time_ns(self, index: int) -> int:
        return round(index * self._period_s * 1e9)

    def at(self, seconds: float, index: int) -> PhantomFrame:
        """Return one frame at a given time, independent of the frames before it."""
        disturbance = self._events.step()
        self._seconds = seconds
        return self.frame(index, self._motion.pose(seconds), disturbance)

    def frame(
        self, index: int, pose: Pose, disturbance: Disturbance = _UNDISTURBED
    ) -> PhantomFrame:
        """Return the image in a pose with the current speckle, and time stamp 0."""
        if disturbance.depth_step:
            lowest, highest = self._reachable
            self._depth = int(np.clip(self._depth + disturbance.depth_step, lowest, highest))
            self._shown = None
        imaging = self._current_imaging()
        view = imaging.view
        z_H, x_W = view.axes_mm
        x, z = tissue_coordinates(x_W, z_H, pose, self._cast.subject)
        plane = self.plane
        reader = Reader(x, z, plane.left_mm, plane.spacing_mm, plane.label_HW.shape)
        gains = [self._gain(patch.nerve, pose) for patch in plane.nerves]
        field = reader.scatterers(self._scattering(gains, pose))
        loss = reader.nearest(plane.loss_HW)
        touching = contact(disturbance, len(x_W))
        envelope = imaging.envelope(field, loss, self._speckle.fresh(field.shape), touching)
        grey = self._persisted(imaging.grey(envelope, self._turned_db))
        middle = view.oversampling // 2
        labels = reader.nearest(plane.label_HW)
        mask = labels[middle :: view.oversampling, middle :: view.oversampling]
        nerve_gains = {
            patch.nerve.name: gain
            for patch, gain in zip(plane.nerves, gains, strict=True)
            if patch.nerve.labelled
        }
        touched = touching[middle :: view.oversampling]
        return PhantomFrame(
            index,
            view.framed((grey + np.float32(0.5)).astype(np.uint8)),
            view.framed(mask),
            0,
            (view.spacing_mm, view.spacing_mm),
            view.depth_mm,
            pose,
            disturbance,
            nerve_gains,
            self._visible(mask, touched, nerve_gains),
        )

    def _gain(self, nerve: Nerve, pose: Pose) -> float:
        """Return how bright a nerve is, relative to its maximum."""
        if self._settings.procedure != "lookalikes":
            return nerve_gain(nerve.anisotropy, nerve.best_tilt_deg, pose.tilt_deg)
        return self._fades.gain(self._seconds) if nerve.labelled else LOOK_ALIKE_GAIN

    def _visible(
        self, mask: Image, touched: Plane, nerve_gains: dict[str, float]
    ) -> frozenset[str]:
        """Return the structures that can be seen."""
        among = self._settings.procedure == "lookalikes"
        enough = _VISIBLE_AMONG_LOOK_ALIKES if among else _VISIBLE_GAIN
        seen = set()
        for label, name in enumerate(self._settings.structures.names, start=1):
            columns = np.nonzero(mask == label)[1]
            under = not len(columns) or float((touched[columns] > 0.5).mean()) >= _UNDER_CONTACT
            if under and nerve_gains.get(name, 1.0) >= enough:
                seen.add(name)
        return frozenset(seen)

    def _scattering(self, gains: list[float], pose: Pose) -> Field:
        """Return everything that reflects sound, at rest: speckle times echo, and mirrors."""
        plane = self.plane
        echo = plane.echo_HW.copy()
        for patch, gain in zip(plane.nerves, gains, strict=True):
            echo[patch.rows, patch.columns] += np.float32(gain) * patch.extra_echo
        field: Field = self._speckle.scatterers_HW * echo
        field.real += self._mirrors(pose.lean)
        return field

    def _mirrors(self, lean: float) -> Plane:
        """Return the mirror-like layers, whose brightness depends on the beam's direction."""
        if abs(lean - self._mirrors_at) > 0.004:
            width = np.float32(np.deg2rad(self._cast.scanner.compounding_deg))
            off = (self.plane.normal_HW - np.float32(np.arctan(lean))) / width
            gain = np.maximum(np.exp(-0.5 * off**2), _FAINTEST_MIRROR)
            self._mirrors_HW, self._mirrors_at = self.plane.specular_HW * gain, lean
        return self._mirrors_HW

    def _current_imaging(self) -> Imaging:
        if self._depth not in self._imaging:
            scanner = self._cast.scanner
            depth_mm = 10 * self._depths_cm[self._depth]
            self._imaging[self._depth] = Imaging(
                scanner,
                view_of(self._settings.size, depth_mm, scanner.aperture_mm, self._width),
                self.plane.spacing_mm,
                self._cast.random(_MACHINE),
            )
        return self._imaging[self._depth]

    def _persisted(self, grey_HW: Plane) -> Plane:
        share = np.float32(0 if self._settings.shuffle else self._cast.scanner.persistence)
        if share and self._shown is not None:
            grey_HW += share * (self._shown - grey_HW)
        self._shown = grey_HW if share else None
        return grey_HW
