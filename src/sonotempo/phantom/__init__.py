"""Recordings that nobody had to scan: a simulated cohort (see ``docs/phantom.md``).

Everything here is numpy and scipy; nothing imports torch.
"""
