"""A whole recording segmented by one or two models, with a plot of each structure's area."""
