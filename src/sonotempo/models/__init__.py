"""The networks: encoder -> decoder (with memory at chosen strides) -> one logit map a class.

``segmenter`` joins the parts; ``encoder``, ``decoder`` and ``memory`` know nothing of each other.
Every arm has one signature: ``model(x_BTCHW, state) -> (logits_BTKHW, state)``.
"""

from sonotempo.models.at_test_time import Network, as_run
from sonotempo.models.memory import State
from sonotempo.models.segmenter import Segmenter, build_model, in_channels_last

__all__ = ["Network", "Segmenter", "State", "as_run", "build_model", "in_channels_last"]
