"""Recordings that nobody had to scan: so far simple moving shapes (``shapes``).

Everything here is numpy and scipy; nothing imports torch.
"""
