"""Setting up a picture from a cable, a screen or a plain video: its image's box and its scale.

``draft`` is what the user has drawn so far, ``marks`` draws it over the picture, ``panel`` are the
controls, and ``setup`` connects them with the stream.
"""
