"""Data sets for labelling tools and other trainers, and back. Never torch.

``targets`` lists the formats that are written, ``origins`` those that are read; each is one module.
``outgoing`` says which frames of a data set go out and under which names, ``incoming`` writes what
comes in as a data set of this toolkit. ``run_lengths`` and ``outlines`` turn masks into the two
forms that labelling tools store.
"""
