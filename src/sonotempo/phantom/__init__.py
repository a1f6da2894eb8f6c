"""Simulated recordings: a cohort with known anatomy and motion (see ``docs/phantom.md``).

Everything here is numpy and scipy; nothing imports torch.
"""
