"""What joins data, networks and scores: cross-validation, other data, other tools, report clips.

``crossval`` runs every job of an experiment and scores it; ``other_data`` scores trained weights on
another data set and ``other_tools`` the masks of another program; ``clips`` picks what a report
shows, ``examples`` draws test frames from the worst to the best. ``suggest`` ranks the frames to
label next, ``agreement`` compares several readers.
"""
