"""Speak SSH as OpenSSH does. Import paramiko only to connect: it takes 80 ms to load."""

import sys

# paramiko imports invoke only to parse `Match exec` of ssh_config. With asyncio and yaml, it doubles the load time.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]  # None in sys.modules makes the import fail (Python reference)
