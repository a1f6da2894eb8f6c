"""From a probe, a recording or a simulation to predictions in real time; nothing imports torch.

Frames go one way: a source (``sources``) writes them into shared memory (``buffer``); whoever needs
them, in this process or another, reads copies from there, the recorder (``recording``) among them.
The ``pipeline`` steps every model (``models``) on the same frame; ``stream`` is all of it without a
window, ``segment`` runs the same models on a whole recording.
"""
