"""A trained torch model behind the Predictor protocol."""

import numpy as np
import torch

from sonotempo.flow import Track, track
from sonotempo.models import Network, State, in_channels_last
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Box, Frame, Prediction


class TorchPredictor:
    """Segments frames of any geometry one after another; its only job is to hold the state.

    Args:
        model: the network; it is put into evaluation mode.
        input_size: side of the network grid in pixels.
        name: what its predictions are called.
        area: the image area set by the user, or None.
        device: where to compute.
    """

    def __init__(
        self,
        model: Network,
        input_size: int,
        name: str,
        area: Box | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self._model = in_channels_last(model.to(device)).eval()
        self._input_size = input_size
        self._area = area
        self._device = torch.device(device)
        self._state: State | None = None
        self._state_age = 0
        self._track: Track | None = None
        self.name = name

    @property
    def stateful(self) -> bool:
        """Whether earlier frames matter."""
        return bool(self._model.initial_state(1, self._input_size, self._input_size))

    def reset(self) -> None:
        """Forget all earlier frames."""
        self._state = None
        self._state_age = 0
        self._track = None

    @torch.inference_mode()
    def step(self, frame: Frame) -> tuple[Prediction, ...]:
        """Segment the next frame; the mask has the frame's own shape."""
        fit = fit_frame(frame, self._input_size, self._area)
        image_SS = fit.image(frame.image_HW)
        motion_BT3hw = None
        if self._model.uses_motion:
            motion, self._track = track(image_SS, self._track)
            motion_3hw = torch.from_numpy(motion.network_input())
            motion_BT3hw = motion_3hw[None, None].to(self._device)
        pixels_SS = torch.from_numpy(image_SS).to(self._device)
        logits_BTKHW, self._state = self._model(
            pixels_SS[None, None, None].float().div(255), self._state, motion_BT3hw
        )
        self._state_age += 1
        confidence_SS, label_SS = logits_BTKHW[0, 0].float().softmax(0).max(0)
        mask_SS = label_SS.to(torch.uint8).cpu().numpy()
        return (
            Prediction(
                frame,
                fit.mask_back(mask_SS),
                fit.values_back(confidence_SS.cpu().numpy().astype(np.float32)),
                self._state_age,
                self.name,
            ),
        )
