"""The live comparison: a stream and the models' masks on it, side by side."""
