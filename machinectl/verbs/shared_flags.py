"""Flags and arguments that several verbs share. Light path."""

from __future__ import annotations

from machinectl.cli.catalogue import ALL_MACHINES, Argument
from machinectl.machines.flags import FILE, HOLDER, LABEL, MACHINE, Flag

NAMES = Argument("names", "[NAME]…", MACHINE, many=True, repeats=True)
ONE_NAME = Argument("names", "[NAME]", MACHINE, many=True)
NAME = Argument("name", "NAME", MACHINE, required=True)
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

ENV_SHELL = Flag(
    "-s",
    "--shell",
    metavar="SHELL",
    help="bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).",
    value=("bash", "zsh", "sh", "fish", "tcsh", "powershell", "cmd", "emacs"),
    default=None,
)
DRY_RUN_HERE = Flag("--dry-run", help="Print the changes; make none.")
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
LIFETIME = Flag(
    "--lifetime",
    metavar="TIME",
    help="How long the certificate is valid: 60s, 12h, 7d, 2w (at most 90d; default: the machine's "
    "--access-lifetime, else {}).",
)

NEW_FILE = Flag("-o", "--output", metavar="FILE", help="Write to FILE, which must not exist yet.", value=FILE)
WHO = Flag("--for", metavar="WHO", help="The holder's name.", value=HOLDER, parameter="who", default=None)
# As docker's.
FILTERS = Flag("-f", "--filter", metavar="KEY=VALUE", parameter="filters", many=True)
LIST_FORMAT = Flag(
    "--format", metavar="TEMPLATE", help="json or a Go template; `table …` adds headings.", parameter="template"
)
NO_TRUNC = Flag("--no-trunc", help="Do not truncate output.")
IDS_ONLY = Flag("-q", "--quiet", help="Print IDs only.")

# For commands on many machines.
GROUP_OUTPUT = Flag("--group", help="Print each machine's output together, when it ends.")
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
    help="How many machines to work on at once (default 50, at most 1000).",
    kind=int,
    limits=(1, 1000),
    default=None,
)
