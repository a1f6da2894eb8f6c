"""The motion of training clips, as the tracker finds it in what the network sees."""

import numpy as np
import torch
from torch import Tensor

from sonotempo.flow import Track, track


def motion_of(x_BT1SS: Tensor) -> Tensor:
    """Track every clip of a batch.

    Args:
        x_BT1SS: network input in 0 to 1; augmented, with faults.

    Returns:
        Flow and weight, BT3hw, on the input's device; each clip's first frame starts.
    """
    pixels_BTSS = (x_BT1SS[:, :, 0].float() * 255).round().to(torch.uint8).cpu().numpy()
    clips = []
    for clip_TSS in pixels_BTSS:
        before: Track | None = None
        motions = []
        for frame_SS in clip_TSS:
            motion, before = track(frame_SS, before)
            motions.append(motion.network_input())
        clips.append(np.stack(motions))
    return torch.from_numpy(np.stack(clips)).to(x_BT1SS.device)
