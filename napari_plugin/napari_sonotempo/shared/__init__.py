"""Used by several widgets: layers, jobs, settings, messages and the choice of models."""
