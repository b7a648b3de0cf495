"""Let ``python -m chord`` do what the command ``chord`` does."""

import sys

from chord.cli import main

if __name__ == "__main__":
    sys.exit(main())
