"""`python -m machinectl`: works whatever else on the PATH is called machinectl."""

import sys

from machinectl.cli.main import main

sys.exit(main())
