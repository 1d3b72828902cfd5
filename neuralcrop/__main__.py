"""``python -m neuralcrop``."""

import sys

from neuralcrop.cli import main

if __name__ == "__main__":
    sys.exit(main())
