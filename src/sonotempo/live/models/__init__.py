"""Exported models, ready to be stepped: ``card`` and ``graph`` describe a file, ``engines`` run it.

``onnx_predictor`` puts it behind the Predictor protocol, ``process`` does so in a process of its
own; ``ready`` finds the models that ship with the package, ``external`` describes those of other
tools.
"""
