"""Capture cards, webcams and screens as live sources: any scanner with a picture on a cable.

``request`` reads what an address asks for, ``devices`` lists what is there, and ``source`` reads
the device; :mod:`sonotempo.image_area` finds the ultrasound in a frame.
"""
