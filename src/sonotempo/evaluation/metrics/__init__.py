"""From masks to numbers: pure functions of numpy arrays; every other part of evaluation calls them.

``regions`` match, ``overlap`` and ``boundary`` measure one frame; ``presence`` and ``stability``
measure a run of frames; ``temporal`` collects the metrics of a run.
"""
