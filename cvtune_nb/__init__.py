"""cvtune: from a folder of labelled photos to the most accurate image classifier you can get.

The package is in rooms that import in one direction only:
data -> features -> baseline -> audit -> training -> advice -> escalation -> export,
then plots (pictures of results) and widgets (what a notebook shows).
"""

import os

# Before torch is loaded: threads that wait for work sleep instead of spinning. Where another process competes for
# the cores, spinning made a training step up to 20 times slower (2 cores, EfficientNet-Lite0, 224 pixels).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
