"""Whether a lab can be had on this machine."""

from __future__ import annotations

import os
import shutil

from tests.lab.command import LabError
from tests.lab.image import archives

NEEDS = ("systemd-nspawn", "mmdebstrap", "ip", "iptables", "ssh", "ssh-keygen", "nsenter", "setpriv", "setsid", "curl")


def why_not() -> str:
    """Why there can be no hosts here; "" where there can."""
    missing = [program for program in NEEDS if shutil.which(program) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing:
        return f"they need {', '.join(missing)}"
    try:
        archives()
    except (LabError, OSError) as error:
        return str(error)
    return ""
