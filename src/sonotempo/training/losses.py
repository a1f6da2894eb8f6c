"""The loss on labelled frames: Dice as in the seed paper, or Dice plus cross-entropy."""

from typing import Literal

from monai.losses import DiceCELoss, DiceLoss
from torch import Tensor, nn


class SegmentationLoss(nn.Module):
    """MONAI's soft Dice over a batch of labelled frames.

    Intersections and sizes are summed over the batch before the ratio is taken (``batch=True``),
    so a frame without a structure does not count as a failure to find it.
    """

    def __init__(self, kind: Literal["dice", "dice_ce"]) -> None:
        super().__init__()
        loss = {"dice": DiceLoss, "dice_ce": DiceCELoss}[kind]
        self._loss = loss(to_onehot_y=True, softmax=True, batch=True)

    def forward(self, logits_NKHW: Tensor, masks_NHW: Tensor) -> Tensor:
        """Return the mean loss over labelled frames; there must be at least one."""
        loss: Tensor = self._loss(logits_NKHW.float(), masks_NHW.unsqueeze(1))
        return loss
