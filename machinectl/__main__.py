"""`python -m machinectl`: works whatever else on the PATH is called machinectl."""

import sys

from machinectl.cli.front import main

sys.exit(main())
