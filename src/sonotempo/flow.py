"""How the tissue moved between two frames, how far that can be trusted, and maps carried along.

One :class:`Motion` per frame serves everything that remembers: predictions carried along the
tissue's motion (:func:`carried`), the state of an aligned memory, and labels that are propagated
(:mod:`sonotempo.labels.path`). The tracker's own state goes in as an argument and comes out as a
result.

The flow is dense inverse search (Kroeger et al. 2016, arXiv 1603.03590), as OpenCV implements it.
Carrying predictions along it is a motion-compensated moving average (arXiv 2403.03120), here with a
gate: where the picture has gone dark the map is held still, and where the flow does not explain
the picture the new prediction counts more.
"""

import threading
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sonotempo.recording import Image

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Search:
    """How finely motion is searched.

    Attributes:
        largest_side: the grid has at most this many rows and columns.
        finest_scale: how often the grid is halved for the last step of the search.
        both_ways: whether motion is also searched backwards, to check it.
    """

    largest_side: int
    finest_scale: int
    both_ways: bool


#: For live use: half the size is 4 times as fast and as accurate.
LIVE = Search(largest_side=128, finest_scale=2, both_ways=False)
#: For labels, where an outline should not drift by a pixel.
FINE = Search(largest_side=512, finest_scale=1, both_ways=True)

#: Of :meth:`Motion.network_input`: x, y and the weight of the frame.
MOTION_CHANNELS = 3
#: How much a new prediction counts against the carried one where nothing is wrong.
STEADY = 0.15
#: The same where the picture has gone dark: next to nothing.
HELD = 0.01
#: After so many untrusted frames in a row the picture is taken as it is, whatever it shows.
LONGEST_HOLD = 60

#: So many frames in a row must explain one another before a strange one is held.
FOLLOWING = 3

# Brightness below this share of what the place has shown counts as dark.
_DARK_SHARE = 0.7
# The reference of brightness follows a darker picture by this share per frame.
_FORGET = 0.01
# Where the picture differs from the moved last one by this share of its brightness, the flow
# explains it no longer; at twice the share not at all.
_UNEXPLAINED = 0.35
# The same for the picture as a whole, in the median over lit places: consecutive frames of real and
# simulated scans leave up to 0.15, other scenes and noise mostly 0.35 and more.
_RELATED, _UNRELATED = 0.22, 0.3
# A pixel that does not come back nearer than this share of the grid's side is lost (Kalal 2010, doi
# 10.1109/ICPR.2010.675). In the median: up to 0.002 over simulated frames 20 apart, up to 0.009
# between neighbours of fast real sweeps, 0.015 and more between other scenes.
_LOST_SHARE = 0.012
# A picture darker than this share of what was seen does not begin another scene.
_NO_PICTURE = 0.25
# What keeps less than this share is gone: no contact, no picture. Another scene may be darker.
_GONE_SHARE = 0.25
# With this share of what was lit gone, there is nothing left to follow: all is held.
_MOSTLY_DARK = 0.5
# Grey levels: what is darker has no brightness to compare.
_FAINT = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The motion from the last trusted frame to this one.

    Attributes:
        flow_2hw: float32 (x, y) in pixels of this grid, which is at most 128 wide in live use: what
            is at a pixel now was at the pixel plus this.
        weight_hw: float32, how much this frame's own prediction counts: 1 where nothing is carried.
        starts: whether nothing earlier belongs to this frame: all that was remembered is invalid.
        round_trip_hw: float32, how far from its place a pixel arrives that is moved to the frame
            before and back, in pixels of the grid; None if motion is searched one way only.
    """

    flow_2hw: FloatArray
    weight_hw: FloatArray
    starts: bool
    round_trip_hw: FloatArray | None = None

    @property
    def is_held(self) -> bool:
        """Whether nothing moves because the frame is dark, or nothing explains it."""
        return bool(self.weight_hw.max() <= np.float32(HELD) + 1e-6)

    def network_input(self) -> FloatArray:
        """Return flow and weight as one float32 array [3, h, w], as networks take it."""
        return np.concatenate((self.flow_2hw, self.weight_hw[None]))


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What the tracker keeps from frame to frame.

    Attributes:
        picture_hw: uint8, the last trusted pixels of every place.
        brightness_hw: float32, how bright every place has been.
        doubtful_hw: uint8, the last frame that the picture does not explain, or None.
        held: how many frames in a row were not trusted.
        followed: how many frames have followed one another: a strange one is held only after
            :data:`FOLLOWING` of them, for two frames of a slide show may look alike by chance.
    """

    picture_hw: Image
    brightness_hw: FloatArray
    doubtful_hw: Image | None = None
    held: int = 0
    followed: int = 0

    @property
    def follows(self) -> bool:
        """Whether this is a stream, in which a strange frame is a disturbance or a cut."""
        return self.followed >= FOLLOWING


def grid_side(input_size: int) -> int:
    """Return the side of the grid that motion is computed on in live use.

    >>> [grid_side(side) for side in (96, 128, 192, 256)]
    [96, 128, 96, 128]
    """
    return input_size // -(-input_size // LIVE.largest_side)


def track(frame_HW: Image, before: Track | None, search: Search = LIVE) -> tuple[Motion, Track]:
    """Return the motion to a frame, and the tracker's state after it.

    A frame of another size, and the first frame after a cut, start over: nothing is carried across.
    Whether a strange frame is a disturbance or a cut is decided by the next one, so after a cut one
    frame is held. Frames that never follow one another, such as a slide show, are taken one by one.

    Args:
        frame_HW: uint8; in live use the network's input, which is square.
        search: how finely, the same for all frames.
        before: what the last call returned; None at the start, after a freeze, a gap or a change of
            depth.

    Example:
        >>> y, x = np.mgrid[:64, :64]
        >>> scene = (100 + 50 * np.sin(x / 3) * np.sin(y / 4)).astype(np.uint8)
        >>> motion, state = track(scene, None)
        >>> motion.starts, float(motion.weight_hw.min())
        (True, 1.0)
        >>> motion, state = track(np.roll(scene, 2, axis=1), state)
        >>> [round(float(axis[20:40, 20:40].mean())) for axis in motion.flow_2hw]
        [-2, 0]
    """
    now_hw = _on_search_grid(frame_HW, search)
    bright_hw = _local_mean(now_hw)
    if before is None or before.picture_hw.shape != now_hw.shape:
        return _started(now_hw, bright_hw)
    lit = before.brightness_hw > _FAINT
    gone = lit & (bright_hw < np.maximum(_GONE_SHARE * before.brightness_hw, _FAINT))
    if gone.sum() > _MOSTLY_DARK * lit.sum():
        return _held(now_hw, bright_hw, before)
    match = _match(before.picture_hw, now_hw, bright_hw, search)
    flow_hw2 = match.flow_hw2
    # A dark vessel that moves in is no dark picture: how bright a place was moves along too.
    moved_hw = _warped(before.brightness_hw, flow_hw2)
    known_hw = np.minimum(before.brightness_hw, moved_hw)
    dark_hw = (bright_hw < _DARK_SHARE * known_hw) & (known_hw > _FAINT)
    seen = ~dark_hw
    judged = (bright_hw > _FAINT) & ~dark_hw
    # It takes more to see that frames follow one another than to keep believing it.
    allowed = _UNRELATED if before.follows else _RELATED
    if match.is_unrelated(judged, allowed):
        return _doubted(now_hw, bright_hw, before, search)
    weight_hw = np.float32(STEADY) + np.float32(0.7 * (1 - STEADY)) * np.clip(
        match.residual_hw / np.float32(_UNEXPLAINED) - 1, 0, 1
    )
    flow_hw2[dark_hw] = 0
    weight_hw[dark_hw] = HELD
    return (
        Motion(
            np.moveaxis(flow_hw2, 2, 0).copy(),
            _soft(weight_hw),
            starts=False,
            round_trip_hw=match.round_trip_hw,
        ),
        Track(
            np.where(seen, now_hw, before.picture_hw),
            _remembered(bright_hw, np.where(dark_hw, before.brightness_hw, moved_hw)),
            followed=before.followed + 1,
        ),
    )


def followed_stream(track_of_start: Track) -> Track:
    """Return a tracker's state that knows from its first frame on that it is in a stream.

    A strange frame is then held until the next ones show whether it is a disturbance or a cut.
    """
    return replace(track_of_start, followed=FOLLOWING)


def _started(now_hw: Image, bright_hw: FloatArray, followed: int = 0) -> tuple[Motion, Track]:
    side = now_hw.shape
    motion = Motion(np.zeros((2, *side), np.float32), np.ones(side, np.float32), starts=True)
    return motion, Track(now_hw.copy(), bright_hw, followed=followed)


def _held(now_hw: Image, bright_hw: FloatArray, before: Track) -> tuple[Motion, Track]:
    """Hold everything while the picture is dark, but not for good."""
    if before.held >= LONGEST_HOLD or not before.follows:
        return _started(now_hw, bright_hw, before.followed)
    return _still(now_hw), Track(
        before.picture_hw,
        _remembered(bright_hw, before.brightness_hw),
        held=before.held + 1,
        followed=before.followed,
    )


def _still(now_hw: Image) -> Motion:
    """Return that nothing moves and the frame counts next to nothing."""
    return Motion(
        np.zeros((2, *now_hw.shape), np.float32),
        np.full(now_hw.shape, HELD, np.float32),
        starts=False,
    )


def _doubted(
    now_hw: Image, bright_hw: FloatArray, before: Track, search: Search
) -> tuple[Motion, Track]:
    """Hold everything, unless the doubtful frame before explains this one: that was a cut."""
    if before.held >= LONGEST_HOLD or not before.follows:
        return _started(now_hw, bright_hw)
    if before.doubtful_hw is not None and (
        bright_hw.mean() > _NO_PICTURE * before.brightness_hw.mean()
    ):
        match = _match(before.doubtful_hw, now_hw, bright_hw, search)
        if not match.is_unrelated(bright_hw > _FAINT, _RELATED):
            return _started(now_hw, bright_hw, before.followed)
    return _still(now_hw), Track(
        before.picture_hw,
        _remembered(np.minimum(bright_hw, before.brightness_hw), before.brightness_hw),
        doubtful_hw=now_hw.copy(),
        held=before.held + 1,
        followed=before.followed,
    )


def _remembered(bright_hw: FloatArray, before_hw: FloatArray) -> FloatArray:
    """Follow a brighter picture at once and a darker one slowly: gain turned down is no fault."""
    return np.maximum(bright_hw, before_hw + np.float32(_FORGET) * (bright_hw - before_hw))


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """How a picture fits an earlier one.

    Attributes:
        flow_hw2: back to the earlier picture.
        residual_hw: how much of the brightness it leaves over, as a share.
        round_trip_hw: as of a motion.
    """

    flow_hw2: FloatArray
    residual_hw: FloatArray
    round_trip_hw: FloatArray | None

    def is_unrelated(self, judged_hw: NDArray[np.bool_], allowed: float) -> bool:
        """Whether most places do not fit, as far as there is something to judge."""
        if not judged_hw.any():
            return False
        if self.round_trip_hw is not None:
            lost_px = _LOST_SHARE * min(judged_hw.shape)
            if np.median(self.round_trip_hw[judged_hw]) > lost_px:
                return True
        return bool(np.median(self.residual_hw[judged_hw]) > allowed)


def _match(before_hw: Image, now_hw: Image, bright_hw: FloatArray, search: Search) -> _Match:
    flow_hw2: FloatArray = _of_thread(search).calc(now_hw, before_hw, None)
    moved_hw = _warped(before_hw.astype(np.float32), flow_hw2)
    difference_hw = cv2.absdiff(moved_hw, now_hw.astype(np.float32))
    residual_hw = _local_mean(difference_hw) / (bright_hw + np.float32(_FAINT))
    if not search.both_ways:
        return _Match(flow_hw2, residual_hw, None)
    back_hw2: FloatArray = _of_thread(search).calc(before_hw, now_hw, None)
    gap_hw2 = flow_hw2 + _warped(back_hw2, flow_hw2)
    return _Match(flow_hw2, residual_hw, cv2.magnitude(*cv2.split(gap_hw2)))


def carried(
    before_Khw: FloatArray | None, new_KSS: FloatArray, motion: Motion
) -> tuple[FloatArray, FloatArray]:
    """Blend new probabilities with earlier ones that move along with the tissue.

    Args:
        before_Khw: the running probabilities on the motion's grid, as returned by the last call.
        new_KSS: this frame's own probabilities, float32.
        motion: to this frame.

    Returns:
        The blend [K, S, S], and the running probabilities [K, h, w] for the next call. No array is
        changed.
    """
    if before_Khw is None or motion.starts:
        return new_KSS, _on_grid(new_KSS, motion)
    flow_hw2 = np.moveaxis(motion.flow_2hw, 0, 2)
    old_hwK = _warped(np.moveaxis(before_Khw, 0, 2), flow_hw2)
    weight_hw = motion.weight_hw[..., None]
    size = new_KSS.shape[-1]
    if size == len(motion.weight_hw):
        blended = old_hwK + weight_hw * (np.moveaxis(new_KSS, 0, 2) - old_hwK)
        running_Khw = np.ascontiguousarray(np.moveaxis(blended, 2, 0))
        return running_Khw, running_Khw
    small_hwK = np.moveaxis(_on_grid(new_KSS, motion), 0, 2)
    running_hwK = old_hwK + weight_hw * (small_hwK - old_hwK)
    # Only what changes from the frame's own prediction is enlarged, so that its edges stay sharp
    # wherever the two agree.
    change_SSK = cv2.resize(
        running_hwK - small_hwK, (size, size), interpolation=cv2.INTER_LINEAR
    ).reshape(size, size, -1)
    shown_KSS = np.clip(new_KSS + np.moveaxis(change_SSK, 2, 0), 0, None)
    shown_KSS /= shown_KSS.sum(axis=0)
    return shown_KSS, np.ascontiguousarray(np.moveaxis(running_hwK, 2, 0))


def _warped(map_hwK: FloatArray, flow_hw2: FloatArray) -> FloatArray:
    places = _places(*flow_hw2.shape[:2]) + flow_hw2
    warped: FloatArray = cv2.remap(
        map_hwK, places, None, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return warped.reshape(map_hwK.shape)


@cache
def _places(height: int, width: int) -> FloatArray:
    """Return every pixel's own place (x, y), hw2."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack((x, y), axis=2)


def _of_thread(search: Search) -> Any:
    """Return this thread's search: it holds buffers that threads must not share."""
    searches: dict[Search, Any] = _THREAD.__dict__.setdefault("searches", {})
    if search not in searches:
        searches[search] = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        searches[search].setFinestScale(search.finest_scale)
    return searches[search]


_THREAD = threading.local()


def _on_search_grid(frame_HW: Image, search: Search) -> Image:
    height, width = frame_HW.shape
    times = -(-max(height, width) // search.largest_side)
    if times == 1:
        return frame_HW
    smaller_hw: Image = cv2.resize(
        frame_HW, (max(1, width // times), max(1, height // times)), interpolation=cv2.INTER_AREA
    )
    return smaller_hw


def _on_grid(map_KSS: FloatArray, motion: Motion) -> FloatArray:
    side = len(motion.weight_hw)
    if map_KSS.shape[-1] == side:
        return map_KSS.copy()
    return np.stack(
        [cv2.resize(one_SS, (side, side), interpolation=cv2.INTER_AREA) for one_SS in map_KSS]
    )


def _local_mean(map_hw: NDArray[Any]) -> FloatArray:
    """Average over a neighbourhood of an eighth of the side: speckle averages out."""
    width = max(3, min(map_hw.shape) // 12) | 1
    mean: FloatArray = cv2.blur(map_hw.astype(np.float32), (width, width))
    return mean


def _soft(weight_hw: FloatArray) -> FloatArray:
    mean: FloatArray = cv2.blur(weight_hw, (5, 5))
    return mean
