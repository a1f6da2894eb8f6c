"""The networks: encoder -> decoder (with memory at chosen strides) -> one logit map a class.

``segmenter`` joins the parts; ``encoder``, ``decoder`` and ``memory`` know nothing of each other.
Every arm has one signature: ``model(x_BTCHW, state, motion_BT3hw) -> (logits_BTKHW, state)``; those
that need no motion ignore it.
"""

from sonotempo.models.alignment import State, no_motion
from sonotempo.models.at_test_time import Network, as_run
from sonotempo.models.segmenter import Segmenter, build_model, in_channels_last

__all__ = [
    "Network",
    "Segmenter",
    "State",
    "as_run",
    "build_model",
    "in_channels_last",
    "no_motion",
]
