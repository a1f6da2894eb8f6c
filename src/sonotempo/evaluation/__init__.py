"""The one evaluation module: metrics -> scoring -> comparison -> report, each calls only downwards.

This file imports nothing, so that counting regions needs no pandas: import from its parts.
"""
