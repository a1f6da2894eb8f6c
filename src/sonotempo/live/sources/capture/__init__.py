"""Capture cards, webcams and screens as live sources: any scanner with a picture on a cable.

``request`` reads what an address asks for, ``devices`` lists what is there, ``source`` reads the
device, ``placing`` decides where the image is in each frame, and ``layouts`` recognises screens.
"""
