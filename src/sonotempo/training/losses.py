"""The loss on labelled frames: Dice as in the seed paper, or Dice plus cross-entropy."""

from typing import Literal

from monai.losses import DiceCELoss, DiceLoss
from torch import Tensor, nn


class LabelledLoss(nn.Module):
    """MONAI's soft Dice over a batch, on the frames that carry labels.

    Intersections and sizes are summed over the batch before the ratio is taken (``batch=True``),
    so a frame without a structure does not count as a failure to find it.
    """

    def __init__(self, kind: Literal["dice", "dice_ce"]) -> None:
        super().__init__()
        loss = {"dice": DiceLoss, "dice_ce": DiceCELoss}[kind]
        self._loss = loss(to_onehot_y=True, softmax=True, batch=True)

    def forward(self, logits_BTKHW: Tensor, masks_BTHW: Tensor, labelled_BT: Tensor) -> Tensor:
        """Return the mean loss over labelled frames; at least one must be labelled."""
        logits_NKHW = logits_BTKHW[labelled_BT].float()
        masks_N1HW = masks_BTHW[labelled_BT].unsqueeze(1)
        loss: Tensor = self._loss(logits_NKHW, masks_N1HW)
        return loss
