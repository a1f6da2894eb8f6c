"""The networks: encoder -> decoder (with memory at chosen strides) -> one logit map a class.

``segmenter`` puts the parts together; ``encoder``, ``decoder`` and ``memory`` know nothing of each
other. Both models have one signature: ``model(x_BTCHW, state) -> (logits_BTKHW, state)``.
"""

from sonotempo.models.segmenter import (
    FrameUNet,
    Segmenter,
    SequenceUNet,
    State,
    build_model,
    in_channels_last,
)

__all__ = ["FrameUNet", "Segmenter", "SequenceUNet", "State", "build_model", "in_channels_last"]
