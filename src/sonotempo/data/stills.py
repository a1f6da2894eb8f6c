"""Labelled stills become clips: the still moves as if seen by a hand-held probe.

Slow drift, rotation and scaling, elastic drift, breathing and an arterial pulse, transient shadows
and changes of gain; sometimes time jumps, as if a stream drops frames. Image and mask move by the
same displacement, so the still's mask labels every frame.

The motion is simulated and keeps the still's speckle: it can train and demonstrate a model's use of
memory, but gives no evidence about real decorrelation.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonotempo.config import MotionConfig
from sonotempo.data.augment import to_input
from sonotempo.data.resampling import REFERENCE_SIZE, displace, spread

# Frequency of a hand's drift: slow, so that a frame period covers a small part of the way.
_DRIFT_HZ = (0.15, 0.7)
_ELASTIC_POINTS = 4
# Radius of the artery whose pulse pushes the tissue, in shares of the grid's side.
_PULSE_RADIUS = (0.08, 0.18)
# Largest number of frame periods skipped at a drop.
_LONGEST_DROP = 3
# Transient shadows: standard deviations in seconds and in shares of the width, and strength.
_SHADOW_SECONDS = (0.1, 0.4)
_SHADOW_WIDTH = (0.04, 0.15)
_SHADOW_STRENGTH = (0.5, 0.9)
# If the still ends a clip, a transient shadow fades in this time before it.
_SHADOW_RELEASE_S = 0.15


class StillMotion:
    """Random motion and appearance for clips made from stills."""

    def __init__(self, config: MotionConfig) -> None:
        self._config = config

    @torch.no_grad()
    def displacement(
        self, batch: int, frames: int, size: int, generator: torch.Generator, *, ends_still: bool
    ) -> Tensor:
        """Draw a smooth motion for each clip.

        Args:
            batch: number of clips.
            frames: frames per clip.
            size: the grid's side S in pixels.
            generator: the only source of randomness; the result is on its device.
            ends_still: whether the last frame is the still itself (displacement exactly 0);
                otherwise the clip passes through the still at a random time.

        Returns:
            Sampling displacement of shape (B, T, S, S, 2) in pixels (x, y), float32: the pixel at
            ``p`` shows what the still holds at ``p + displacement``.
        """
        config = self._config
        unit = size / REFERENCE_SIZE
        times_BT, still_B = self._times(batch, frames, generator, ends_still)

        def path(count: int) -> Tensor:
            return _paths(times_BT, still_B, count, generator)

        # Everything below is 0 at the still's time, up to rounding.
        shift_BT2 = path(2) * config.drift_px * unit
        shift_BT2[..., 1] += self._breathing(times_BT, still_B, generator) * unit
        radians_BT = path(1)[..., 0] * math.radians(config.rotation_degrees)
        zoom_BT = 1 + path(1)[..., 0] * config.scale
        elastic = path(2 * _ELASTIC_POINTS**2) * config.elastic_px * unit
        elastic_BT2GG = elastic.view(batch, frames, 2, _ELASTIC_POINTS, _ELASTIC_POINTS)

        centres = torch.arange(size, device=generator.device) - (size - 1) / 2
        x, y = centres, centres[:, None]
        weights = spread(_ELASTIC_POINTS, size, generator.device)
        motion = weights @ elastic_BT2GG @ weights.T
        cosine = (zoom_BT * radians_BT.cos() - 1)[..., None, None]
        sine = (zoom_BT * radians_BT.sin())[..., None, None]
        motion[:, :, 0] += cosine * x - sine * y + shift_BT2[..., 0, None, None]
        motion[:, :, 1] += sine * x + cosine * y + shift_BT2[..., 1, None, None]
        motion += self._pulse(times_BT, still_B, size, generator)
        if ends_still:
            motion[:, -1] = 0
        return motion.movedim(2, -1)

    @torch.no_grad()
    def appearance(
        self, x_BTCHW: Tensor, generator: torch.Generator, *, ends_still: bool
    ) -> Tensor:
        """Vary the gain smoothly and add transient shadows.

        Args:
            x_BTCHW: float32 network input in 0–1.
            generator: the only source of randomness, on the input's device.
            ends_still: whether the last frame stays unchanged.

        Returns:
            The same shape, in 0–1; the input is not changed.
        """
        batch, frames, _, _, width = x_BTCHW.shape
        times_T = torch.arange(frames, device=generator.device) / self._config.frame_rate_hz
        end = times_T[-1]
        (share,) = _uniform(1, (batch,), generator)
        still_B = end.expand(batch) if ends_still else end * share
        path_BT = _paths(times_T.expand(batch, -1), still_B, 1, generator)[..., 0]
        gain_BT = 1 + self._config.gain * path_BT
        kept_BTW = self._shadow(times_T, batch, width, generator, ends_still)
        changed = x_BTCHW * (gain_BT[..., None] * kept_BTW)[:, :, None, None]
        changed.clamp_(0, 1)
        if ends_still:
            changed[:, -1] = x_BTCHW[:, -1]
        return changed

    def _shadow(
        self,
        times_T: Tensor,
        batch: int,
        width: int,
        generator: torch.Generator,
        ends_still: bool,
    ) -> Tensor:
        """Return the remaining brightness of each column under a shadow, (B, T, W)."""
        centre, when, seconds, share, strength, chance = _uniform(6, (batch, 1), generator)
        columns = torch.linspace(0, 1, width, device=times_T.device)
        across_BW = torch.exp(-0.5 * ((columns - centre) / _within(_SHADOW_WIDTH, share)) ** 2)
        since_BT = times_T - when * times_T[-1]
        passing_BT = torch.exp(-0.5 * (since_BT / _within(_SHADOW_SECONDS, seconds)) ** 2)
        if ends_still:
            passing_BT *= ((times_T[-1] - times_T) / _SHADOW_RELEASE_S).clamp(max=1)
        passing_BT *= _within(_SHADOW_STRENGTH, strength)
        passing_BT *= chance < self._config.shadow_probability
        return 1 - passing_BT[..., None] * across_BW[:, None]

    def _times(
        self, batch: int, frames: int, generator: torch.Generator, ends_still: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the times of the frames, (B, T), and of the still, (B,), in seconds."""
        drop, length, still = _uniform(3, (batch, frames), generator)
        extra = 1 + (length * _LONGEST_DROP).floor().clamp(max=_LONGEST_DROP - 1)
        periods = 1 + extra * (drop < self._config.drop_probability)
        times_BT = (periods.cumsum(1) - periods[:, :1]) / self._config.frame_rate_hz
        last_B = times_BT[:, -1]
        return times_BT, last_B if ends_still else last_B * still[:, 0]

    def _breathing(self, times_BT: Tensor, still_B: Tensor, generator: torch.Generator) -> Tensor:
        """Return the vertical displacement by breathing from the still, (B, T) in pixels."""
        config = self._config
        amount, rate, phase = _uniform(3, (len(times_BT), 1), generator)
        radians = 2 * math.pi * _within(config.breathing_hz, rate)
        phase = phase * 2 * math.pi

        def push(times: Tensor) -> Tensor:
            return 0.5 * torch.sin(radians * times + phase)

        return amount * config.breathing_px * (push(times_BT) - push(still_B[:, None]))

    def _pulse(
        self, times_BT: Tensor, still_B: Tensor, size: int, generator: torch.Generator
    ) -> Tensor:
        """Return the displacement around a pulsating artery, (B, T, 2, S, S) in pixels."""
        config = self._config
        amount, rate, phase, x, y, radius = _uniform(6, (len(times_BT), 1), generator)
        radians = 2 * math.pi * _within(config.pulse_hz, rate)
        phase = phase * 2 * math.pi

        def width(times: Tensor) -> Tensor:
            # Squared, because an artery widens briefly and narrows slowly.
            return (0.5 + 0.5 * torch.sin(radians * times + phase)) ** 2

        push_BT = amount * (width(times_BT) - width(still_B[:, None]))
        push_BT = push_BT * config.pulse_px * size / REFERENCE_SIZE
        sigma = _within(_PULSE_RADIUS, radius)
        centres = (torch.arange(size, device=generator.device) + 0.5) / size
        # The push is r·exp(½ − r²/2) with r in sigmas: 0 at the centre, 1 at one sigma. It is a
        # product of one factor along x and one along y.
        x_BS, y_BS = (centres - x) / sigma, (centres - y) / sigma
        near_x, near_y = torch.exp(-(x_BS**2) / 2), torch.exp(-(y_BS**2) / 2)
        push_x = near_y[:, :, None] * (x_BS * near_x)[:, None]
        push_y = (y_BS * near_y)[:, :, None] * near_x[:, None]
        field_B2SS = torch.stack((push_x, push_y), 1) * -math.exp(0.5)
        return push_BT[..., None, None, None] * field_B2SS[:, None]


def evaluation_clip(
    frame_HW: NDArray[np.uint8], frames: int, seed: int, config: MotionConfig
) -> NDArray[np.uint8]:
    """Make a clip of a still for evaluation, the same for all arms; only its last frame is scored.

    Args:
        frame_HW: the still, fitted and square.
        frames: number of frames of the clip.
        seed: the same seed gives the same clip.
        config: the motion.

    Returns:
        uint8 frames of shape (T, H, W); the last one is exactly the still.
    """
    generator = torch.Generator().manual_seed(seed)
    motion = StillMotion(config)
    size = frame_HW.shape[0]
    still = to_input(torch.from_numpy(frame_HW.copy())[None, None])
    shift_BTHW2 = motion.displacement(1, frames, size, generator, ends_still=True)
    moved = displace(still[0, :, 0].expand(frames, -1, -1), shift_BTHW2[0].movedim(-1, 1))
    shown = motion.appearance(moved[None, :, None], generator, ends_still=True)
    clip_THW: NDArray[np.uint8] = (shown[0, :, 0] * 255).round_().to(torch.uint8).numpy()
    clip_THW[-1] = frame_HW
    return clip_THW


def _paths(times_BT: Tensor, still_B: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw smooth paths within −1 and 1 that are exactly 0 at the still's time, (B, T, count).

    A path is a sum of two slow sine waves of random rate, phase and weight.
    """
    rates, phases = _uniform(2, (len(times_BT), 1, count, 2), generator)
    (shares,) = _uniform(1, (len(times_BT), 1, count), generator)
    rates, phases = 2 * math.pi * _within(_DRIFT_HZ, rates), 2 * math.pi * phases

    def place(times: Tensor) -> Tensor:
        waves = torch.sin(rates * times[..., None, None] + phases)
        return 0.5 * (shares * waves[..., 0] + (1 - shares) * waves[..., 1])

    return place(times_BT) - place(still_B[:, None])


def _uniform(count: int, shape: tuple[int, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
    return torch.rand(count, *shape, generator=generator, device=generator.device).unbind()


def _within(limits: tuple[float, float], share: Tensor) -> Tensor:
    return limits[0] + share * (limits[1] - limits[0])
