"""SSH as OpenSSH's users know it: their configuration, agent, keys and known hosts; one connection, many commands.

The only package that imports paramiko, and each of its exceptions becomes one of `errors`. It is not imported here:
`openssh` (the command line of the system's ssh), `settings`, `hostkeys` and `credentials` do without paramiko, which
takes 80 ms to load.

`endpoint`: where a host's SSH is. `settings`: what OpenSSH would use for it. `known_hosts`: that format; `hostkeys`:
which keys are trusted. `credentials`, `keys`, `login`: who we are. `dial`, `transport`: the way there. `connect`: all
of it, up to a `session` that runs commands, in `shells` started ahead and with `framing` around what they print.
`system`: the same by the system's ssh, for what paramiko cannot do. `denials`: what hosts say to whom they let in half.
`stranger`: what servers show to who does not log in, `turned_away` what to whom they do not take.
`sudo`: the same as root. `files`: what is sent. `openssh`: the options that we pass to the system's ssh;
`multiplexing`: connections that it keeps; `foreground`: that ssh for a person; `terminal`: our own. `user_config`,
`known_hosts_command`: the parts of the user's configuration that we read and run ourselves. `host_block`: a machine's
block for ssh_config(5); `copying`: the command lines of what goes by that; `sftp`: copying of our own.
"""

import sys

# paramiko takes invoke to be optional: it is for `Match exec` in its own parser of ssh_config, and brings asyncio and
# yaml, which take as long to load as all the rest.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]  # what import takes for "there is none" (its reference)
