"""A LAN of throw-away servers on one machine: real systemd, sshd, apt and Docker Engine, for end-to-end tests.

Each host is a systemd-nspawn container with its own network namespace and address on a private bridge. Its root
is an overlay over a cached Debian image; what it mounts is in a private mount namespace and its processes are in
one cgroup, so that taking it down needs no state and works whatever happened to those who started it.

From a host, only its neighbours, this machine (the bridge's `.1`), the resolver and the Debian archive that this
machine's apt sources name can be reached.
"""
