"""Classes that declare verbs. Light path: imports nothing heavy."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.flags import Flag

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


class Verb:
    """A verb, or a group if `runs` is empty, or both: `socket ls` is not about a machine named ls.

    `runs` is a function of its module, called with the Session and a keyword per argument and flag: `login` for the
    login flags, `names` with --selector's machines unless it `keeps_selector`.
    """

    # Set by the catalogue: its section in --help ("" if hidden), its module, what it does, the verbs of a group.
    section = module = summary = ""
    verbs: set[str] = set()  # noqa: RUF012 (it is replaced, never changed)

    def __init__(
        self,
        runs: str,
        *,
        more: str = "",
        examples: Sequence[str] = (),
        arguments: Sequence[Argument] = (),
        forms: Sequence[str] = (),
        flags: Sequence[Flag] = (),
        typed: Sequence[tuple[str, str]] = (),
        all_options: str = "",
        output: str = WORKS,
        hidden: bool = False,
        keeps_selector: bool = False,
        asks_for_all: bool = False,
        passes_on: bool = False,
        follows: bool = True,
        refuses_empty: bool = False,
        failure_status: int = 0,
        writes_store: bool = True,
    ) -> None:
        self.runs = runs
        self.more = more
        self.examples = examples
        self.arguments = arguments
        # How --help writes the arguments, if there is more than one way.
        self.forms = forms
        self.flags = flags
        # What --help shows of the options until a driver is named, if not all; and where the others are.
        self.typed = typed
        self.all_options = all_options
        self.output = output
        self.hidden = hidden
        self.keeps_selector = keeps_selector
        # Whether --all asks, without -y.
        self.asks_for_all = asks_for_all
        # Whether all words after the first one go to another program.
        self.passes_on = passes_on
        # Whether to update STORE/ssh_config first. Verbs of shell start-up skip it to be fast.
        self.follows = follows
        # Whether no flag may be "": a script with an unset variable would get a default that it did not mean.
        self.refuses_empty = refuses_empty
        # The exit status of its failures, 0 for each error's own.
        self.failure_status = failure_status
        # Whether a dry run fails if the store cannot be written.
        self.writes_store = writes_store
