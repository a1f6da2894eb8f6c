"""From an experiment to scored folds: losses -> task -> job (one arm, one fold) -> crossval.

``predictor`` puts trained weights behind the Predictor protocol; ``weights`` keeps them in
safetensors files that say how to rebuild their network.
"""
