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
SWARM_MANAGER = Flag("--swarm", help="Point at a manager of the machine's swarm that answers.")
JSON = Flag("--json", help="Print JSON.", parameter="as_json")
TIMEOUT = Flag(
    "-t",
    "--timeout",
    metavar="SECONDS",
    help="Timeout for each host.",
    kind=float,
    limits=(0, 86400),
    default=10,
)
SELECTOR = Flag(
    "-l",
    "--selector",
    metavar="SELECTOR",
    help="Select machines by label: role=web, role!=web, 'role in (a,b)'.",
    value=LABEL,
    default=None,
)
LS_QUIET = Flag("-q", "--quiet", help="Print names only.")
LS_FILTER = Flag(
    "--filter",
    metavar="KEY=VALUE",
    help="Filter by driver, state, name (a regular expression), label or swarm.",
    parameter="filters",
    many=True,
)
LS_FORMAT = Flag(
    "-f", "--format", metavar="TEMPLATE", help="A Go template; `table …` adds headings.", parameter="template"
)
LS_REMOVED = Flag("--removed", help="List removed machines whose records are kept.")
LS_WATCH = Flag("--watch", help="Refresh the table until ^C.")
LS_INTERVAL = Flag(
    "--interval",
    metavar="SECONDS",
    help="With --watch: the pause between refreshes.  [default: 2]",
    kind=float,
    limits=(0.1, 86400),
    default=None,
)
DRY_RUN = Flag("--dry-run", help="Look at the host and print the changes; make none.")
TAKE_OVER = Flag(
    "-y", "--yes", help="Do not ask before taking a host over from docker-machine, or setting it up despite a warning."
)
FORCE = Flag(
    "-f", "--force", help="Replace others' certificates, and restart the engine even if that stops containers."
)
RESTART_SWARM = Flag("--restart-swarm", help="Restart the engine even if the Swarm node cannot be drained.")
OPEN_FIREWALL = Flag("--open-firewall", help="Open the engine's port in the host's firewall.")
DRY_RUN_HERE = Flag("--dry-run", help="Print the changes; make none.")
YES_CONTAINERS = Flag("-y", "--yes", help="Do not ask, even if containers run on the host.")
GO_TEMPLATE = Flag("-f", "--format", metavar="TEMPLATE", help="A Go template.", parameter="template")
FLEET_FILE = Flag(
    "-f",
    "--file",
    metavar="FILE",
    help="The fleet file (default ./fleet.yaml); - reads stdin.",
    parameter="files",
    value=FILE,
    many=True,
    show_default=False,
)
PARALLEL = Flag(
    "--parallel", metavar="N", help="How many hosts to work on at once.", kind=int, limits=(1, None), default=10
)
ALL_MACHINES = Flag("-a", "--all", help="All machines.", parameter="everything")
GROUP_OUTPUT = Flag("--group", help="Print each machine's output together, when it ends.")
JSON_LINES = Flag("--json", help="Print one JSON object per line, when each machine ends.", parameter="as_json")
RUN_TIMEOUT = Flag(
    "-t",
    "--timeout",
    metavar="SECONDS",
    help="End commands that take longer, with status 124.",
    kind=float,
    limits=(0.001, 86400),
    default=None,
)
RUN_PARALLEL = Flag(
    "--parallel",
    metavar="N",
    help="How many machines to work on at once.  [default: 50]",
    kind=int,
    limits=(1, 1000),
    default=None,
)
OUT_DIRECTORY = Flag(
    "--out", metavar="DIR", help="The directory to write to; it is created.", value=DIRECTORY, required=True
)
CLIENT_NAME = Flag("--client-name", metavar="NAME", help="The client's name in its certificate.", default="client")
OVERWRITE = Flag("-f", "--force", help="Replace existing files.")
OUTPUT_FILE = Flag("-o", "--output", metavar="FILE", help="Write to FILE, which must not exist yet.", value=FILE)
ADVERTISE_ADDR = Flag(
    "--advertise-addr", metavar="ADDRESS", help="The address for other nodes (default: the engine's)."
)
