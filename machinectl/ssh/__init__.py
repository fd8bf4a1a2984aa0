"""SSH as OpenSSH's users know it: their configuration, agent, keys and known hosts.

`client` is our own client on paramiko. `openssh` builds command lines and configuration for the system's ssh. `framing`
says how a script travels to a host and back. Import paramiko only where a connection is made: it takes 80 ms to load.
"""

import sys

# paramiko takes invoke to be optional: it is for `Match exec` in its own parser of ssh_config, and brings asyncio and
# yaml, which take as long to load as all the rest.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]  # what import takes for "there is none" (its reference)
