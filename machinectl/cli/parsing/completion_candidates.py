"""What may be typed at each place of a command line: the one source of every completion, of shells and of docker's.

Light, as all that is asked at a Tab: verbs, flags and machines are known without Typer; drivers alone cost what finding
and loading them does.
"""

from __future__ import annotations

from machinectl.cli.catalogue import GROUPS, VERBS
from machinectl.cli.parsing.go_flags import SWARM
from machinectl.cli.parsing.go_flags import VERBS as SPELLINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What a word stands for; TEXT is anything, REMOTE is MACHINE:PATH, PLACE that or a file here, LABEL a selector. A tuple
# of words stands for one of them.
MACHINE, LABEL, DRIVER, SHELL, DIRECTORY, FILE, PLACE, REMOTE, VERB, TEXT = (
    "machine",
    "label",
    "driver",
    "shell",
    "directory",
    "file",
    "place",
    "remote",
    "verb",
    "text",
)
SHELLS = ("bash", "zsh", "fish", "powershell")

# What each verb's arguments are. The other verbs are about machines, as many as one likes.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "active": (),
    "api": (MACHINE, TEXT),
    "certs create": (),
    "certs import": (MACHINE, DIRECTORY),
    "certs issue": (MACHINE,),
    "changes": (MACHINE,),
    "completion": (SHELL,),
    "config": (MACHINE,),
    "context import": (TEXT, TEXT),
    "context ls": (),
    "context sync": (),
    "create": (TEXT,),
    "discover": (TEXT,),
    "docker-plugin install": (),
    "docker-plugin uninstall": (),
    "drivers": (),
    "env": (MACHINE,),
    "fleet import": (FILE,),
    "fleet schema": (),
    "help": (VERB,),
    "import": (DIRECTORY,),
    "inspect": (MACHINE,),
    "inventory": (),
    "mount": (REMOTE, DIRECTORY),
    "rename": (MACHINE, TEXT),
    "scp": (PLACE,),
    "set": (MACHINE,),
    "shell-init": (SHELL,),
    "ssh": (MACHINE, TEXT),
    "status": (MACHINE,),
    "swarm init": (MACHINE,),
    "swarm status": (MACHINE,),
    "url": (MACHINE,),
    "use": (MACHINE,),
    "version": (MACHINE,),
}
# The verbs of these whose last argument may be repeated.
REPEATING = frozenset({"discover", "scp"})
# What follows a flag that takes a value, by the flag, or by its verb and the flag; else it is TEXT.
VALUES: Mapping[str, str | tuple[str, ...]] = {
    "ca-cert": FILE,
    "ca-key": FILE,
    "driver": DRIVER,
    "engine-env-file": FILE,
    "engine-install": ("auto", "docker", "distro", "none"),
    "discover write": FILE,
    "env format": ("json", "dotenv", "properties"),
    "file": FILE,
    "fleet import from": ("ansible", "ssh-config"),
    "inventory host": MACHINE,
    "out": DIRECTORY,
    "output": FILE,
    "selector": LABEL,
    "shell": ("bash", "zsh", "sh", "fish", "tcsh", "powershell", "cmd", "emacs"),
    "ssh-jump": MACHINE,
    "ssh-passphrase-file": FILE,
    "ssh-password-file": FILE,
    "storage-path": DIRECTORY,
    "sudo-password-file": FILE,
    "tls-ca-cert": FILE,
    "tls-ca-key": FILE,
    "tls-client-cert": FILE,
    "tls-client-key": FILE,
    "tls-dir": DIRECTORY,
}
# Taken for docker-machine's scripts, and of no use to anybody else: by the flag, or by verb and flag (" flag" for one
# before the verb).
HIDDEN = frozenset(f"create {name.rstrip('=')}" for name in SWARM.split()) | {
    "native-ssh",
    "github-api-token",
    "bugsnag-api-token",
    " tls-ca-cert",
    " tls-ca-key",
    " tls-client-cert",
    " tls-client-key",
    "kill timeout",
}


class Flag:
    """A flag by its names as they are typed (`-t`, `--timeout`), and what its value is: "" where it takes none."""

    def __init__(self, names: Sequence[str], value: str | tuple[str, ...], about: str = "") -> None:
        self.names = names
        self.value = value
        self.about = about


def verbs(group: str = "") -> dict[str, str]:
    """The verbs, or those of a group (`certs`), by their names, with what each is for in a sentence."""
    return {name: verb.summary for name, verb in (GROUPS[group] if group else VERBS).items() if verb.section}


def arguments(verb: str) -> tuple[tuple[str, ...], bool]:
    """What the words after a verb stand for, one after the other, and whether the last one may be repeated.

    A verb of a group is named with the group in front: `certs ls`.
    """
    return ARGUMENTS.get(verb, (MACHINE,)), verb not in ARGUMENTS or verb in REPEATING


def flags(verb: str = "") -> list[Flag]:
    """The flags of a verb, or those before the verb; without those that only docker-machine's scripts still have."""
    found = [
        Flag([("-" if len(name) == 1 else "--") + name for name in names], value_of(verb, names[-1]) if takes else "")
        for names, takes in spelt(verb)
        if f"{verb} {names[-1]}" not in HIDDEN and names[-1] not in HIDDEN
    ]
    return [*found, Flag(["-h", "--help"], "")]


def spelt(verb: str) -> list[tuple[list[str], bool]]:
    return [(spelling.rstrip("=").split(","), spelling.endswith("=")) for spelling in SPELLINGS.get(verb, "").split()]


def value_of(verb: str, name: str) -> str | tuple[str, ...]:
    return VALUES.get(f"{verb} {name}", VALUES.get(name, TEXT))


def machines(root: str = "") -> list[str]:
    """The machines of a store, of the usual one where none is named; none where it cannot be read."""
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

    try:
        return Store(root).names()
    except MachineError:
        return []


def labels(root: str = "") -> list[str]:
    """What machines are labelled with, as selectors: each key, and each with its values.

    What a shell might read otherwise than it stands is left out.
    """
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

    store = Store(root)
    found: set[str] = set()
    for name in machines(root):
        try:
            own = store.read(name).labels
        except MachineError:
            continue
        found.update(word for key, value in own.items() for word in (key, f"{key}={value}"))
    return sorted(word for word in found if is_plain(word))


def is_plain(word: str) -> bool:
    return word.isascii() and all(letter.isalnum() or letter in "=._/-" for letter in word) and word[0].isalnum()


def drivers() -> list[str]:
    """The installed drivers' names; none is loaded."""
    from machinectl.driver.installed_drivers import installed

    return [driver.name for driver in installed()]


def driver_flags(driver: str) -> list[Flag]:
    """The flags that a driver adds to `create`; none where it is not there, or fails to load."""
    from machinectl.driver.installed_drivers import load
    from machinectl.driver.options import typed
    from machinectl.errors import MachineError

    try:
        options = load(driver).options()
    except MachineError:
        return []
    found = []
    for option in options:
        takes = FILE if option.secret or option.path else option.choices or TEXT
        found.append(Flag([typed(option)], "" if isinstance(option.default, bool) else takes, option.help))
    return found
