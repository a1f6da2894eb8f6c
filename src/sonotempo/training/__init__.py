"""From an experiment to trained weights: losses -> task -> job (one arm, one fold).

``cohort`` opens and fits the data; ``torch_predictor`` puts trained weights behind the Predictor
protocol; ``weights`` keeps them in safetensors files that say how to rebuild their network;
``preview_experiment`` draws what training sees.
"""

from sonotempo._torchvision import ensure_torchvision

# Lightning imports torchvision, and fails with it where its operators do not fit torch.
ensure_torchvision()
