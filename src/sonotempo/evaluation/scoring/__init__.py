"""From recordings and masks to tables: every labelled frame scored, one folder for each arm.

``evaluate`` steps a predictor through recordings (``prediction``), ``as_streamed`` scores what
would have been on screen and ``external_masks`` what another tool wrote; all score with
``recordings`` and ``frames``; ``readers`` scores two people against each other. ``files`` and
``provenance`` keep the results.
"""
