"""From a stream to files: ``recorder`` writes frames and events while they arrive."""
