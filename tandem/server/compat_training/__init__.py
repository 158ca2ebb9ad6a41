"""Surface B: plain classifiers and detectors, in the words of /api/training."""
