"""Exported models, ready to be stepped: ``card`` and ``graph`` describe a file, ``engines`` run it.

``engine`` is what every engine does, in ``cuda_engine``, ``openvino_engine`` and
``onnxruntime_engine``; ``label_graph`` adds the label map (``labels``) to a graph for a GPU.

``onnx_predictor`` puts it behind the Predictor protocol, ``process`` does so in a process of its
own; ``ready`` finds the models that ship with the package, ``external`` describes those of other
tools.
"""
