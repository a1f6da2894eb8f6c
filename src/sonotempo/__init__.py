"""sonotempo: frame and sequence segmentation of ultrasound for regional anaesthesia."""
