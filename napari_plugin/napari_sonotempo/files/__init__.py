"""Recordings and masks in napari: reader, writer and sample data."""
