"""The device on which an experiment computes."""

import torch

from sonotempo.config import Experiment


def device_of(experiment: Experiment) -> torch.device:
    """Return the device on which an experiment computes."""
    wanted = experiment.train.accelerator
    if wanted == "gpu" or (wanted == "auto" and torch.cuda.is_available()):
        return torch.device("cuda")
    if wanted == "mps" or (wanted == "auto" and torch.backends.mps.is_available()):
        return torch.device("mps")
    return torch.device("cpu")
