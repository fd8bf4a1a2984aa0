"""Flags as Go's flag package takes them, docker-machine's too, rewritten to the one form that is understood here.

`-flag`, `--flag`, `-f=VALUE`, `--flag=false` are all the same to Go, on one letter too. What Typer takes beside them
stays: `-fVALUE`, and several letters in one word. Neither a value nor what is ssh's is taken for a flag. Part of the
light path: nothing heavy is imported here.
"""

from __future__ import annotations

import os

from machinectl.cli.invocation import FALSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    # The names of flags, one letter or long, each to its long name and whether a value follows it.
    Flags = Mapping[str, tuple[str, bool]]

LOGIN = "ssh-passphrase-file= ssh-password-file= sudo-password-file= ssh-host-key= ssh-strict"
ENGINE = (
    "label= engine-label= engine-opt= engine-insecure-registry= engine-registry-mirror= engine-env= engine-env-file= "
    "tls-san= engine-install= engine-install-url= engine-version= engine-storage-driver= engine-bind= os="
)
SWARM = (
    "swarm swarm-master swarm-experimental swarm-addr= swarm-discovery= swarm-host= swarm-image= swarm-strategy= "
    "swarm-opt= swarm-join-opt="
)
MANY = "l,selector="
POWER = f"{MANY} t,timeout= y,yes dry-run {LOGIN}"
ORDERS = f"{MANY} a,all group json t,timeout= parallel="
LS = f"{MANY} q,quiet filter= t,timeout= f,format= json removed watch interval="
# What each verb takes beside its names, and "" before the verb: an equals sign marks what a value follows.
VERBS = {
    "": (
        "s,storage-path= D,debug native-ssh tls-ca-cert= tls-ca-key= tls-client-cert= tls-client-key= "
        "github-api-token= bugsnag-api-token= v,version"
    ),
    "active": "t,timeout= json",
    "api": "d,data= t,timeout=",
    "apply": (
        f"{MANY} f,file= parallel= batch= max-failures= refresh prune purge take-over y,yes force restart-swarm "
        f"open-firewall dry-run json {LOGIN}"
    ),
    "certs": "",
    "certs create": "out= san= ca-cert= ca-key= client-name= f,force",
    "certs import": "f,force",
    "certs issue": "out= client-name= f,force",
    "certs ls": f"{MANY} fail-under= json",
    "changes": "json",
    "completion": "",
    "config": "swarm json",
    "context": "",
    "context import": "",
    "context ls": "json",
    "context sync": MANY,
    "create": (
        "d,driver= tls-dir= tls-ca-cert= tls-client-cert= tls-client-key= no-tls no-provision no-context ssh-jump= "
        f"dry-run y,yes f,force restart-swarm open-firewall {ENGINE} {SWARM} {LOGIN}"
    ),
    "discover": "ports= t,timeout= json write= y,yes",
    "docker-plugin": "",
    "docker-plugin install": "no-hooks",
    "docker-plugin uninstall": "",
    "docker": ORDERS,
    "doctor": f"{MANY} t,timeout= json {LOGIN}",
    "drivers": "json options",
    "env": "shell= u,unset no-proxy swarm format= json",
    "fleet": "",
    "fleet import": "o,output= from=",
    "fleet init": "o,output=",
    "fleet schema": "",
    "import": "from-docker-machine no-context dry-run",
    "info": f"{MANY} ssh f,format= t,timeout= json {LOGIN}",
    "inspect": "f,format= json",
    "inventory": "ansible prometheus list host=",
    "ip": f"{MANY} json",
    "kill": POWER,
    "list": LS,
    "ls": LS,
    "plan": f"{MANY} f,file= refresh prune detailed-exitcode parallel= json {LOGIN}",
    "provision": f"{MANY} y,yes dry-run f,force restart-swarm open-firewall {LOGIN}",
    "mount": "u,unmount",
    "regenerate-certs": f"{MANY} y,yes f,force client-certs new-ca tls-san= restart-swarm dry-run {LOGIN}",
    "ps": "selector= a,all f,filter= format= n,last= l,latest no-trunc q,quiet s,size t,timeout= json",
    "rename": "",
    "restart": POWER,
    "rm": f"{MANY} f,force y,yes purge purge-engine restart-swarm dry-run forget {LOGIN}",
    "run": f"{ORDERS} sudo no-persist {LOGIN}",
    "scp": f"r,recursive d,delta q,quiet p,preserve {LOGIN}",
    "set": f"url= unlabel= tls no-tls context no-context ssh-jump= {ENGINE}",
    "shell-init": "prompt",
    "ssh": LOGIN,
    "ssh-config": f"{MANY} write",
    "start": POWER,
    "status": "t,timeout= json",
    "stop": POWER,
    "swarm": "",
    "swarm init": f"advertise-addr= {LOGIN}",
    "swarm join": f"manager advertise-addr= {LOGIN}",
    "swarm leave": f"f,force {LOGIN}",
    "swarm status": "t,timeout= json",
    "upgrade": f"{MANY} y,yes f,force restart-swarm dry-run {LOGIN}",
    "url": "json",
    "use": "u,unset",
    "version": "t,timeout= json",
}
# After which another verb comes.
GROUPS = {
    "",
    "certs",
    "context",
    "docker-plugin",
    "fleet",
    "swarm",
}
TRUE = {"1", "t", "T", "true", "TRUE", "True"}  # strconv.ParseBool


def canonical(arguments: Sequence[str], of_driver: Mapping[str, bool] | None = None) -> list[str]:
    """The same command line with each flag as `--name`, or `--name=value`; one that is set to false is left out.

    `of_driver` are the options that `create` and `set` have of a driver, each with whether a value follows it. What is
    no flag of its verb, or lacks its value, stays what it is, for Typer to refuse by name.
    """
    words = list(arguments)
    found = rewritten(words, "", flags_of(""))
    verb = ""
    while words and verb in GROUPS:
        verb = f"{verb} {words[0]}".strip()
        found.append(words.pop(0))
        if verb in VERBS:
            flags = flags_of(verb)
            if verb in {"create", "set"}:
                flags.update({option: (option, takes_value) for option, takes_value in (of_driver or {}).items()})
            found += rewritten(words, verb, flags)
    return [*found, *words]


def listed(variable: str) -> list[str]:
    """The values in an environment variable that stands in for a flag which may be repeated: commas part them."""
    return [value.strip() for value in os.environ.get(variable, "").split(",") if value.strip()]


def flags_of(verb: str) -> dict[str, tuple[str, bool]]:
    return named(VERBS[verb])


def named(spellings: str) -> dict[str, tuple[str, bool]]:
    """Flags by all of their names, from a text of the form that VERBS has."""
    found = {"h": ("help", False), "help": ("help", False)}
    for spelling in spellings.split():
        names = spelling.rstrip("=").split(",")
        found.update(dict.fromkeys(names, (names[-1], spelling.endswith("="))))
    return found


def rewritten(words: list[str], verb: str, flags: Flags) -> list[str]:
    """Take words off the front as far as flags of a verb may go, and return them in the canonical form."""
    found: list[str] = []
    while words and words[0] != "--":
        word = words[0]
        if word == "-" or not word.startswith("-"):
            if verb in GROUPS or verb == "ssh":
                break
            found.append(words.pop(0))
            continue
        del words[0]
        for name, value in taken_apart(word, verb, flags):
            if name not in flags:
                found.append(name)
            elif flags[name][1]:
                add_value(found, name, value, words)
            else:
                switch(found, name, value, flags)
    return found


def taken_apart(word: str, verb: str, flags: Flags) -> list[tuple[str, str | None]]:
    """The flags in one word, by their long names, each with the value that stands there too; or the word alone."""
    body = word.removeprefix("-").removeprefix("-")
    name, equals, value = body.partition("=")
    if name in flags:
        return [(flags[name][0], value if equals else None)]
    if word.startswith("--"):
        return [(word, None)]
    # `-digitalocean-token` is a driver's flag, and names no driver.
    of_driver = verb == "create" and "-" in name and name.replace("-", "").isalnum()
    if not of_driver and (in_one := letters(body, flags)):
        return in_one
    # What is unknown is told as it was meant; what is ssh's, as it is.
    long = len(name) > 1 and name[0].isalpha() and verb != "ssh"
    return [(f"-{word}" if long else word, None)]


def letters(body: str, flags: Flags) -> list[tuple[str, str | None]] | None:
    """Flags of one letter in one word, the last one maybe with its value; None where a letter is no flag."""
    found: list[tuple[str, str | None]] = []
    for position, letter in enumerate(body, start=1):
        if letter not in flags:
            return None
        name, takes_value = flags[letter]
        if takes_value:
            return [*found, (name, body[position:].removeprefix("=") or None)]
        found.append((name, None))
    return found


def add_value(found: list[str], name: str, value: str | None, words: list[str]) -> None:
    """Add a flag with its value, which is the next word where none was given with it, whatever that looks like."""
    if value is None and words:
        value = words.pop(0)
    found.append(f"--{name}" if value is None else f"--{name}={value}")


def switch(found: list[str], name: str, value: str | None, flags: Flags) -> None:
    """Add a flag that is on or off; the last one counts."""
    if value in FALSE:
        found[:] = [word for word in found if word != f"--{name}"]
        opposite = name.removeprefix("no-") if name.startswith("no-") else f"no-{name}"
        if opposite in flags:
            found.append(f"--{opposite}")
    else:
        found.append(f"--{name}" if value is None or value in TRUE else f"--{name}={value}")
