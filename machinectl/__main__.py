"""`python -m machinectl`: ignores other programs called machinectl on the PATH."""

import sys

from machinectl.cli.main import main

sys.exit(main())
