"""From an experiment to scored folds: losses -> task -> job (one arm, one fold) -> crossval.

``cohort`` opens and fits the data; ``predictor`` puts trained weights behind the Predictor
protocol; ``weights`` keeps them in safetensors files that say how to rebuild their network;
``external`` judges them on other data; ``preview`` draws what training sees.
"""

from sonotempo._torchvision import ensure_torchvision

# Lightning imports torchvision, and fails with it where its operators do not fit torch.
ensure_torchvision()
