"""State and predictions that move along with the tissue, inside the network.

The motion of a frame is an input of three channels, as :meth:`sonotempo.flow.Motion.network_input`
gives it: the flow back to the last trusted frame, x and y in pixels of that grid, and how much
this frame counts, 1 where nothing earlier belongs to it. Nothing has more than four axes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from sonotempo.errors import ConfigError
from sonotempo.flow import MOTION_CHANNELS, STEADY

#: What a network carries from frame to frame: the states of its parts one after another.
State = tuple[Tensor, ...]

# A frame that counts more than this carries nothing over.
_STARTS = 0.999
_SMALLEST = 1e-6


def no_motion(frames_BTCHW: Tensor, side: int) -> Tensor:
    """Return the motion of frames that have nothing before them, BT3hw."""
    batch, frames = frames_BTCHW.shape[:2]
    motion_BT3hw = frames_BTCHW.new_zeros(batch, frames, MOTION_CHANNELS, side, side)
    motion_BT3hw[:, :, 2] = 1
    return motion_BT3hw


def motion_at(motion_N3hw: Tensor, size: int) -> Tensor:
    """Return a motion on the grid of features of this size; flow in pixels of that grid.

    Raises:
        ConfigError: the features are finer than the grid of the motion.
    """
    side = motion_N3hw.shape[-1]
    if side % size:
        raise ConfigError(
            f"an aligned memory stands on a grid of {size} pixels, but motion is computed on "
            f"{side}; leave the finest strides out of model.memory_strides"
        )
    if side == size:
        return motion_N3hw
    pooled = avg_pool2d(motion_N3hw, side // size)
    return torch.cat((pooled[:, :2] * (size / side), pooled[:, 2:]), dim=1)


def warp(map_BCHW: Tensor, motion_B3HW: Tensor) -> Tensor:
    """Move a map along with the tissue; what comes in over the edge repeats the edge."""
    height, width = map_BCHW.shape[-2:]
    y = torch.linspace(-1, 1, height, device=map_BCHW.device).view(1, height, 1)
    x = torch.linspace(-1, 1, width, device=map_BCHW.device).view(1, 1, width)
    grid_BHW2 = torch.stack(
        (
            x + motion_B3HW[:, 0] * (2 / (width - 1)),
            y + motion_B3HW[:, 1] * (2 / (height - 1)),
        ),
        dim=3,
    )
    # In half precision, coordinates would be off by a pixel.
    with torch.autocast(map_BCHW.device.type, enabled=False):
        return grid_sample(
            map_BCHW.float(), grid_BHW2.float(), padding_mode="border", align_corners=True
        )


def aligned(state: State, motion_B3HW: Tensor) -> State:
    """Move every state along with the tissue, and forget what belongs to another scene."""
    kept_B1HW = (motion_B3HW[:, 2:] < _STARTS).to(motion_B3HW.dtype)
    return tuple(warp(part_BCHW, motion_B3HW) * kept_B1HW for part_BCHW in state)


def trusted(new: State, moved: State, motion_B3HW: Tensor) -> State:
    """Return the new state where the frame is trusted, and the moved one where it is not."""
    trust_B1HW = (motion_B3HW[:, 2:] / STEADY).clamp(max=1)
    return tuple(
        after_BCHW * trust_B1HW + before_BCHW * (1 - trust_B1HW)
        for after_BCHW, before_BCHW in zip(new, moved, strict=True)
    )


class CarriedOutput(nn.Module):
    """Predictions carried along the tissue's motion; a small network decides how much is new.

    The running probabilities move with the flow and are blended with those of the new frame, as in
    :func:`sonotempo.flow.carried`. The weight of the new frame is the tracker's, shifted by what
    this layer has learned from the features and from both maps. The shift starts at zero, so an
    untrained layer, or one without features (``channels=0``), blends exactly as ``frame_flow``.

    Args:
        classes: K.
        channels: of the features at full resolution; 0 for the tracker's weight alone.
    """

    def __init__(self, classes: int, channels: int, hidden_channels: int = 16) -> None:
        super().__init__()
        self.classes = classes
        self.shift: nn.Sequential | None = None
        if channels:
            last = nn.Conv2d(hidden_channels, 1, 1)
            self.shift = nn.Sequential(
                nn.Conv2d(channels + 2 * classes + 1, hidden_channels, 3, padding=1),
                nn.ReLU(inplace=True),
                last,
            )
            nn.init.zeros_(last.weight)
            assert last.bias is not None
            nn.init.zeros_(last.bias)

    def step(
        self, logits_BKHW: Tensor, features_BCHW: Tensor, running_BKhw: Tensor, motion_B3hw: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Blend one frame of each clip.

        Args:
            logits_BKHW: of the frame by itself.
            features_BCHW: what the logits were made from.
            running_BKhw: the running probabilities on the motion's grid.
            motion_B3hw: to this frame.

        Returns:
            Logits of the blend BKHW, and the running probabilities after this frame.
        """
        new_BKHW = logits_BKHW.float().softmax(1)
        factor = new_BKHW.shape[-1] // motion_B3hw.shape[-1]
        new_BKhw = avg_pool2d(new_BKHW, factor) if factor > 1 else new_BKHW
        old_BKhw = warp(running_BKhw, motion_B3hw)
        weight_B1hw = motion_B3hw[:, 2:]
        if self.shift is not None:
            features = avg_pool2d(features_BCHW, factor) if factor > 1 else features_BCHW
            seen = torch.cat((features.float(), new_BKhw, old_BKhw, weight_B1hw), dim=1)
            clamped = weight_B1hw.clamp(0.005, 0.995)
            odds = torch.log(clamped) - torch.log(1 - clamped)
            starts = (weight_B1hw > _STARTS).to(odds.dtype)
            weight_B1hw = starts + (1 - starts) * torch.sigmoid(odds + self.shift(seen).float())
        running_BKhw = old_BKhw + weight_B1hw * (new_BKhw - old_BKhw)
        if factor == 1:
            shown_BKHW = running_BKhw
        else:
            change = running_BKhw - new_BKhw
            shown_BKHW = new_BKHW + interpolate(
                change, scale_factor=factor, mode="bilinear", align_corners=False
            )
            shown_BKHW = shown_BKHW.clamp(min=0)
            shown_BKHW = shown_BKHW / shown_BKHW.sum(1, keepdim=True)
        return torch.log(shown_BKHW.clamp(min=_SMALLEST)), running_BKhw

    def forward(
        self,
        logits_NKHW: Tensor,
        features_NCHW: Tensor,
        running_BKhw: Tensor,
        motion_N3hw: Tensor,
        frames: int,
    ) -> tuple[Tensor, Tensor]:
        """Blend clips of ``frames`` frames that follow one another along the first axis."""
        if frames == 1:
            return self.step(logits_NKHW, features_NCHW, running_BKhw, motion_N3hw)
        shown = []
        for logits, features, motion in zip(
            *(_frames(part, frames) for part in (logits_NKHW, features_NCHW, motion_N3hw)),
            strict=True,
        ):
            logits_BKHW, running_BKhw = self.step(logits, features, running_BKhw, motion)
            shown.append(logits_BKHW)
        return torch.stack(shown, dim=1).flatten(0, 1), running_BKhw


def _frames(x_NCHW: Tensor, frames: int) -> Sequence[Tensor]:
    return x_NCHW.reshape(-1, frames, *x_NCHW.shape[1:]).unbind(1)
