"""`python -m cvtune_nb` is `cvtune`."""

import sys

from cvtune_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
