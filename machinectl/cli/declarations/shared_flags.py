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
        help="Where machines are kept (else $MACHINE_STORAGE_PATH).",
        value=DIRECTORY,
    ),
    Flag("-D", "--debug", help="Show each remote command and what it printed, and the traceback of a bug."),
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
SWARM_MANAGER = Flag("--swarm", help="Point at a manager that answers, of the machine's swarm.")
JSON = Flag("--json", help="Print JSON.", parameter="as_json")
TIMEOUT = Flag(
    "-t",
    "--timeout",
    metavar="SECONDS",
    help="How long a host may take to answer.",
    kind=float,
    limits=(0, 86400),
    default=10,
)
SELECTOR = Flag(
    "-l",
    "--selector",
    metavar="SELECTOR",
    help="Those whose labels are so: role=web, role!=web, 'role in (a,b)'.",
    value=LABEL,
    default=None,
)
LS_QUIET = Flag("-q", "--quiet", help="Print names only.")
LS_FILTER = Flag(
    "--filter",
    metavar="KEY=VALUE",
    help="By driver, state, name (a regular expression), label or swarm.",
    parameter="filters",
    many=True,
)
LS_FORMAT = Flag(
    "-f", "--format", metavar="TEMPLATE", help="A Go template; `table …` adds headings.", parameter="template"
)
LS_REMOVED = Flag("--removed", help="List what is kept of machines that were removed, instead.")
LS_WATCH = Flag("--watch", help="Draw the table again and again, until ^C.")
LS_INTERVAL = Flag(
    "--interval",
    metavar="SECONDS",
    help="With --watch, the pause between two rounds.  [default: 2]",
    kind=float,
    limits=(0.1, 86400),
    default=None,
)
DRY_RUN = Flag("--dry-run", help="Look at the host, print what would be done, and do nothing.")
TAKE_OVER = Flag(
    "-y", "--yes", help="Do not ask before a host is taken over from docker-machine, or set up despite a warning."
)
FORCE = Flag(
    "-f", "--force", help="Replace certificates of somebody else's, and restart an engine although that harms."
)
RESTART_SWARM = Flag("--restart-swarm", help="Restart the engine of a Swarm node that cannot be drained, too.")
OPEN_FIREWALL = Flag("--open-firewall", help="Let the engine's port through the host's firewall.")
DRY_RUN_HERE = Flag("--dry-run", help="Print what would be done, and do nothing.")
YES_CONTAINERS = Flag("-y", "--yes", help="Do not ask where containers run there.")
GO_TEMPLATE = Flag("-f", "--format", metavar="TEMPLATE", help="A Go template.", parameter="template")
FLEET_FILE = Flag(
    "-f",
    "--file",
    metavar="FILE",
    help="The fleet's file (else ./fleet.yaml); - is stdin.",
    parameter="files",
    value=FILE,
    many=True,
    show_default=False,
)
PARALLEL = Flag(
    "--parallel", metavar="N", help="How many hosts are worked on at once.", kind=int, limits=(1, None), default=10
)
ALL_MACHINES = Flag("-a", "--all", help="All machines.", parameter="everything")
GROUP_OUTPUT = Flag("--group", help="Print what each machine says together, when it has ended.")
JSON_LINES = Flag("--json", help="Print one JSON object per line, when each machine ends.", parameter="as_json")
RUN_TIMEOUT = Flag(
    "-t",
    "--timeout",
    metavar="SECONDS",
    help="End what has not ended by then: status 124.",
    kind=float,
    limits=(0.001, 86400),
    default=None,
)
RUN_PARALLEL = Flag(
    "--parallel",
    metavar="N",
    help="How many machines at once, at most.  [default: 50]",
    kind=int,
    limits=(1, 1000),
    default=None,
)
OUT_DIRECTORY = Flag(
    "--out", metavar="DIR", help="The directory to write to; it is made.", value=DIRECTORY, required=True
)
CLIENT_NAME = Flag("--client-name", metavar="NAME", help="The client's name in its certificate.", default="client")
OVERWRITE = Flag("-f", "--force", help="Replace files that are there.")
OUTPUT_FILE = Flag("-o", "--output", metavar="FILE", help="Write it into FILE, which is not there yet.", value=FILE)
ADVERTISE_ADDR = Flag(
    "--advertise-addr", metavar="ADDRESS", help="Where other nodes reach it (else where its engine is reached)."
)
