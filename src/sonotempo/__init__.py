"""sonotempo: frame and sequence segmentation of ultrasound for regional anaesthesia.

Everything here can be imported without torch; models and training have separate packages.
"""

from importlib.metadata import version

from sonotempo.errors import ConfigError, RecordingError, SonotempoError
from sonotempo.io import open_dataset, open_recording
from sonotempo.recording import Box, Frame, Prediction, Predictor, Recording
from sonotempo.structures import (
    AXILLARY,
    FEMORAL,
    NERVE_VESSEL,
    Structure,
    StructureSet,
    structure_set,
)

__version__ = version("sonotempo")

__all__ = [
    "AXILLARY",
    "FEMORAL",
    "NERVE_VESSEL",
    "Box",
    "ConfigError",
    "Frame",
    "Prediction",
    "Predictor",
    "Recording",
    "RecordingError",
    "SonotempoError",
    "Structure",
    "StructureSet",
    "open_dataset",
    "open_recording",
    "structure_set",
]
