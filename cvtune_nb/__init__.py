"""cvtune: from a folder of labelled photos to the most accurate image classifier you can get.

The package is in rooms that import in one direction only:
data -> features -> baseline -> audit -> training -> advice -> escalation -> export,
then plots (pictures of results) and widgets (what a notebook shows).
"""

__version__ = "0.1.0"
