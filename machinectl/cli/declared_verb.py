"""Classes that declare verbs, and the flags that the parser itself reads. Light path: imports nothing heavy."""

from __future__ import annotations

from machinectl.machines.create_options import HOST_KEY, LOGIN_SECRETS, STRICT
from machinectl.machines.flags import DIRECTORY, FILE, Flag
from machinectl.value_classes import Mutable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


# A verb's kind. It decides which broken stream ends the verb early: none, stdout, or either.
WORKS, PRINTS, RELAYS = "works", "prints", "relays"


class Argument:
    """A verb's words besides its flags, passed as `parameter`, as a list if `many`.

    `values` are the kinds that completion offers in turn, or tuples of words; the last one again if it `repeats`.
    """

    def __init__(
        self,
        parameter: str,
        metavar: str,
        *values: str | tuple[str, ...],
        many: bool = False,
        repeats: bool = False,
        required: bool = False,
        help: str = "",  # noqa: A002 (the usual name)
    ) -> None:
        self.parameter = parameter
        self.metavar = metavar
        self.values = values
        self.many = many
        self.repeats = repeats
        self.required = required
        self.help = help


class Verb(Mutable):
    """A verb, or a group if `runs` is empty, or both: `socket ls` is not about a machine named ls.

    `runs` is a function of its module, called with the Session and a keyword per argument and flag: `login` for the
    login flags, `names` with --selector's machines unless it `keeps_selector`.
    """

    runs: str
    more: str = ""
    examples: Sequence[str] = ()
    arguments: Sequence[Argument] = ()
    # How --help writes the arguments, if there is more than one way.
    forms: Sequence[str] = ()
    flags: Sequence[Flag] = ()
    # What --help shows of the options until a driver is named, if not all; and where the others are.
    typed: Sequence[tuple[str, str]] = ()
    all_options: str = ""
    output: str = WORKS
    hidden: bool = False
    keeps_selector: bool = False
    # Whether --all asks, without -y.
    asks_for_all: bool = False
    # Whether all words after the first one go to another program.
    passes_on: bool = False
    # Whether to update STORE/ssh_config first. Verbs of shell start-up skip it to be fast.
    follows: bool = True
    # Whether no flag may be "": a script with an unset variable would get a default that it did not mean.
    refuses_empty: bool = False
    # The exit status of its failures, 0 for each error's own.
    failure_status: int = 0
    # Whether a dry run fails if the store cannot be written.
    writes_store: bool = True
    # Set by the catalogue: its section in --help ("" if hidden), its module, what it does, the verbs of a group.
    section: str = ""
    module: str = ""
    summary: str = ""
    verbs: frozenset[str] = frozenset()


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
