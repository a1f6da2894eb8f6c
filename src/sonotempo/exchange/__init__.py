"""Data sets for labelling tools and other trainers, and back. Never torch.

``targets`` lists the formats that are written and ``sources`` those that are read; each is one
module, ``…_in`` for reading. ``outgoing`` says which frames of a data set go out and under which
names, ``incoming`` writes what comes in as a data set of this toolkit. ``run_lengths``,
``outlines`` and ``filled`` turn masks into the forms that labelling tools store, and back.
"""
