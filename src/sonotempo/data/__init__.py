"""Recordings to tensors: folds -> cache -> clips -> augment (on the training device).

``references`` picks masks by their origin, ``folds`` splits subjects, ``cache`` fits every frame
once, ``clips`` cuts windows of T frames, ``augment`` applies the list of ``augmentations``, drawn
once per clip, ``faults`` hides frames, ``stills`` moves single images so that sequence models can
be trained without video.
"""
