"""Training photos varied by policies, whole minibatches at a time, for classifiers and detectors alike."""
