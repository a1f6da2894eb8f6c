"""The networks: encoder -> decoder (with memory at chosen strides) -> one logit map a class.

``segmenter`` puts the parts together; ``encoder``, ``decoder`` and ``memory`` know nothing of each
other. Both models have one signature: ``model(x_BTCHW, state) -> (logits_BTKHW, state)``.
"""

from sonotempo.models.at_test_time import Network, ResetEveryFrame, SmoothedLogits, as_run
from sonotempo.models.segmenter import (
    ExtraUNet,
    FrameUNet,
    Segmenter,
    SequenceUNet,
    State,
    build_model,
    in_channels_last,
)

__all__ = [
    "ExtraUNet",
    "FrameUNet",
    "Network",
    "ResetEveryFrame",
    "Segmenter",
    "SequenceUNet",
    "SmoothedLogits",
    "State",
    "as_run",
    "build_model",
    "in_channels_last",
]
