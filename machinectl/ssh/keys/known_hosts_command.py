"""Run the user's KnownHostsCommand (ssh_config(5))."""

from __future__ import annotations

import base64
import shlex
import subprocess
from typing import TYPE_CHECKING

from machinectl.ssh.keys import known_hosts
from machinectl.ssh.ssh_errors import HostKeyRefused
from machinectl.ssh.ssh_settings import QUERY_TIMEOUT, config_tokens, replace_tokens

if TYPE_CHECKING:
    from machinectl.ssh.keys.known_hosts import HostKey, KnownHost
    from machinectl.ssh.ssh_settings import Settings


def command_entries(settings: Settings, key: HostKey | None = None) -> list[KnownHost]:
    """Run the command, if configured, and return its lines about the host.

    Pass no key before the host shows one. Raises HostKeyRefused if the command fails.
    """
    if not settings.known_hosts_command:
        return []
    tokens = config_tokens(settings.host, settings.hostname, settings.user, settings.port, settings.host_key_alias)
    tokens |= {"H": settings.known_names[0], "I": "HOSTNAME" if key else "ORDER"}
    tokens |= {
        "t": key.type if key else "NONE",
        "f": key.fingerprint if key else "NONE",
        "K": base64.b64encode(key.blob).decode() if key else "NONE",
    }
    try:
        command = [replace_tokens(word, tokens) for word in shlex.split(settings.known_hosts_command)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=QUERY_TIMEOUT
        )
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        raise HostKeyRefused(
            f"KnownHostsCommand of your SSH configuration failed: no key of {settings.address} is trusted ({exc})",
            f"Try it: {settings.known_hosts_command}",
        ) from exc
    return known_hosts.find_keys(known_hosts.parse_known_hosts(done.stdout), settings.known_names)
