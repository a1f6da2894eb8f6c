"""The napari plugin of sonotempo. It draws and controls; all work is done in ``sonotempo``."""
