"""From a probe, a recording or a simulation to predictions in real time; nothing imports torch.

A source (``sources``) writes frames into shared memory (``buffer``). Readers in any process, such
as the recorder (``recording``), get copies. The ``pipeline`` steps every model (``models``) on the
same frame. ``stream`` runs all of this without a window; ``segment`` runs the same models on a
whole recording.
"""
