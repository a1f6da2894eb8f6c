"""From trained weights to one checked ``.onnx`` file: graph -> precision -> parity -> file.

``graph`` writes the network as ONNX, ``quantization`` in fewer bits, ``parity`` compares what
streams with what was evaluated, ``job`` does one export from a run folder.
"""
