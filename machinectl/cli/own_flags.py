"""Flags that the parser itself reads: those before the verb, --all, and the login's. Light path."""

from __future__ import annotations

from machinectl.machines.create_options import HOST_KEY, LOGIN_SECRETS, STRICT
from machinectl.machines.flags import DIRECTORY, FILE, Flag

BEFORE_THE_VERB = (
    Flag(
        "-s",
        "--storage-path",
        metavar="DIR",
        help="The store's directory (else $MACHINE_STORAGE_PATH).",
        value=DIRECTORY,
    ),
    Flag("-D", "--debug", help="Show remote commands with their output, and tracebacks of bugs."),
    Flag("--native-ssh", hidden=True),
    # docker-machine's scripts pass these; machinectl fetches nothing from GitHub and reports no crashes.
    Flag("--github-api-token", metavar="TEXT", hidden=True),
    Flag("--bugsnag-api-token", metavar="TEXT", hidden=True),
    Flag("--tls-ca-cert", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CA_CERT"),
    Flag("--tls-ca-key", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CA_KEY"),
    Flag("--tls-client-cert", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CLIENT_CERT"),
    Flag("--tls-client-key", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CLIENT_KEY"),
    Flag("-v", "--version", help="Print the version.", parameter="show_version"),
)

LOGIN = (*LOGIN_SECRETS, HOST_KEY, STRICT)
ALL_MACHINES = Flag("-a", "--all", help="All machines.", parameter="everything")
