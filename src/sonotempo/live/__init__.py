"""From a probe, a recording or a simulation to predictions in real time; nothing imports torch.

Frames go one way: a source (``source``, ``playback``, ``simulated``) writes them into shared
memory (``ring_buffer``); whoever wants them, in this process or another, reads copies from there,
the ``recorder`` among them. The ``pipeline`` steps every model (``predictor``, or beside a window
``predictor_process``) on the same frame; ``stream`` is all of it without a window, ``segment`` the
same models on a whole recording.
"""
