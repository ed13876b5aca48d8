"""cvtune: from a folder of labelled photos to the most accurate image model you can get.

ARCHITECTURE.md says what is where.
"""

import os

# Before torch is loaded: threads that wait for work sleep instead of spinning. Where another process competes for
# the cores, spinning made a training step up to 20 times slower (2 cores, EfficientNet-Lite0, 224 pixels).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
