"""Flags and arguments that several verbs share. Light path."""

from __future__ import annotations

from machinectl.cli.declarations.declared_verb import Argument
from machinectl.machines.create_options import HOST_KEY, LOGIN_SECRETS, STRICT
from machinectl.machines.flags import DIRECTORY, FILE, LABEL, MACHINE, Flag

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

NAMES = Argument("names", "[NAME]…", MACHINE, many=True, repeats=True)
ONE_NAME = Argument("names", "[NAME]", MACHINE, many=True)
NAME = Argument("name", "NAME", MACHINE, required=True)
LOGIN = (*LOGIN_SECRETS, HOST_KEY, STRICT)
JSON = Flag("--json", help="Print JSON.", parameter="as_json")
JSON_LINES = Flag("--json", help="Print one JSON object per line, when each machine ends.", parameter="as_json")
TIMEOUT = Flag(
    "-t", "--timeout", metavar="SECONDS", help="Timeout for each host.", kind=float, limits=(0, 86400), default=10
)
SELECTOR = Flag(
    "-l",
    "--selector",
    metavar="SELECTOR",
    help="Select machines by label: role=web, 'role in (a,b)'.",
    value=LABEL,
    default=None,
)
ALL_MACHINES = Flag("-a", "--all", help="All machines.", parameter="everything")
CHOICE = (SELECTOR, ALL_MACHINES)
DRY_RUN = Flag("--dry-run", help="Look at the host and print the changes; make none.")
TAKE_OVER = Flag(
    "-y", "--yes", help="Do not ask before taking a host over from docker-machine, or setting it up despite a warning."
)
FORCE = Flag(
    "-f", "--force", help="Replace others' certificates, and restart the engine even if that stops containers."
)
RESTART_SWARM = Flag("--restart-swarm", help="Restart the engine even if the Swarm node cannot be drained.")
OPEN_FIREWALL = Flag("--open-firewall", help="Open the engine's port in the host's firewall.")
