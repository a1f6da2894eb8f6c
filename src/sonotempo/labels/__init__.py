"""Labels that are made from labels: masks carried along the tissue's motion to other frames.

Numpy in and out, without torch, so that a viewer can use it.
"""
