"""The declaration of a verb. Part of the light path: nothing heavy is imported here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.flags import Flag

# What a verb does. It decides which broken stream ends the verb early: none, stdout, or either of the two.
WORKS, PRINTS, RELAYS = "works", "prints", "relays"


class Argument:
    """The words that a verb takes beside its flags, by the parameter of its function.

    If `many`, the function gets a list. `values` are what completion offers for the words, one after the other; it
    offers the last one again if the argument `repeats`.
    """

    def __init__(
        self,
        parameter: str,
        metavar: str,
        *values: str,
        many: bool = False,
        repeats: bool = False,
        required: bool = False,
        help: str = "",  # noqa: A002 (what it is called everywhere)
    ) -> None:
        self.parameter = parameter
        self.metavar = metavar
        self.values = values
        self.many = many
        self.repeats = repeats
        self.required = required
        self.help = help


class Verb:
    """A verb, or a group of verbs, which `runs` nothing.

    `runs` is MODULE:FUNCTION below cli.verbs. The function takes the Session, and a keyword for each argument and flag;
    `access` stands for the flags of the login, and `names` are those that --selector selects, too, unless it
    `keeps_selector`. `light` are the flags with which the verb runs without Typer, if one of them is `light_needs`;
    None means never.
    """

    # The section of --help that lists it; "" if it is hidden. The catalogue sets it.
    section = ""

    def __init__(
        self,
        runs: str,
        summary: str,
        *,
        more: str = "",
        examples: Sequence[str] = (),
        arguments: Sequence[Argument] = (),
        flags: Sequence[Flag] = (),
        output: str = WORKS,
        hidden: bool = False,
        keeps_selector: bool = False,
        passes_on: bool = False,
        light: Sequence[Flag] | None = None,
        light_needs: Flag | None = None,
        follows: bool = True,
        failure_status: int = 0,
    ) -> None:
        self.runs = runs
        self.summary = summary
        self.more = more
        self.examples = examples
        self.arguments = arguments
        self.flags = flags
        self.output = output
        self.hidden = hidden
        self.keeps_selector = keeps_selector
        # Whether the words after the first one are another program's, options too.
        self.passes_on = passes_on
        self.light = light
        self.light_needs = light_needs
        # Whether STORE/ssh_config is updated first. A verb of a shell's start-up does not wait for that.
        self.follows = follows
        # The exit status of its own failures, 0 for that of each error.
        self.failure_status = failure_status
