"""Scores of predictions against references, and what people read of them.

This file imports nothing, so that counting regions needs no pandas: import from its modules.
"""
