"""cvtune: from a folder of labelled photos to the most accurate image model you can get.

ARCHITECTURE.md says what is where.
"""

import os

# Before torch is loaded: threads that wait for work sleep instead of spinning, which slows training down where another
# process competes for the cores (docs/measurements.md, "Threads that wait for work").
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Before onnxruntime is loaded, whose official builds report what they run to their maker from 1.29 on
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
