"""Runs the jobs of a cross-validation: in turn, side by side on one machine, or on a Ray cluster.

One schedule decides what may start; an engine only knows how to run a call in another process. All
results go into the run folder, where a run in turn writes them too.
"""
