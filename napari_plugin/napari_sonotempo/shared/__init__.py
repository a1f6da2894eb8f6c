"""What live and segment both use: layers, jobs, settings, messages and the choice of models.

Nothing here imports them.
"""
