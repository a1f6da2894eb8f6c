"""Sources of frames: a module or package for each kind; ``open`` lists them."""
