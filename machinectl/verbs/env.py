"""The verbs `env` and `config`."""

from __future__ import annotations

import os
import sys

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, print_lines, write_file, write_out
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.machines.store import Store


ENV_UNSET = Flag("-u", "--unset", help="Print the commands that unset the variables.")
ENV_NO_PROXY = Flag("--no-proxy", help="Add the machine's address to NO_PROXY.")
SWARM_MANAGER = Flag("--swarm", help="Point at a manager of the machine's swarm that answers.")

VERBS = {
    "env": Verb(
        "env",
        examples=("eval $(machinectl env orionbox)", "eval $(machinectl env -u)"),
        arguments=(shared.ONE_NAME,),
        flags=(
            shared.ENV_SHELL,
            ENV_UNSET,
            ENV_NO_PROXY,
            SWARM_MANAGER,
            Flag(
                "--format",
                metavar="FORM",
                help="Print a file for tools instead: json, dotenv or properties.",
                parameter="form",
                value=("json", "dotenv", "properties"),
            ),
            Flag("--json", help="The same as --format json.", parameter="as_json"),
        ),
        output=PRINTS,
        follows=False,
    ),
    "config": Verb(
        "config",
        examples=("docker $(machinectl config orionbox) ps",),
        arguments=(shared.ONE_NAME,),
        flags=(SWARM_MANAGER, shared.JSON),
        output=PRINTS,
    ),
}


# They make an unquoted word a glob (POSIX shell, 2.14).
PATTERN = frozenset("*?[\\")


def env(
    here: Session,
    *,
    names: list[str],
    shell: str | None,
    unset: bool,
    no_proxy: bool,
    swarm: bool,
    form: str,
    as_json: bool,
) -> None:
    if (shell is not None) + bool(form) + as_json > 1:
        raise UsageError("--shell, --format and --json exclude each other", Hint("Leave all but one out"))
    from machinectl.shell import SHELLS, plain_name

    if shell and plain_name(shell) not in SHELLS:
        # docker-machine, too, prints sh's lines.
        here.console.note(f"Unknown shell {shell!r}, so these lines are for sh. Known shells are {', '.join(SHELLS)}")
    variables = env_variables(here.store, names, os.environ, unset=unset, no_proxy=no_proxy, swarm=swarm)
    if form := "json" if as_json else form:
        write_file(file_text(form, variables, unset=unset))
    else:
        write_out(env_statements(variables, shell, sys.argv, os.environ))


def env_statements(
    variables: Mapping[str, str | None], shell: str | None, typed: Sequence[str], environment: Mapping[str, str]
) -> str:
    """Return ASCII statements; detect the shell if None. `typed` is the command line, for the usage comment."""
    from machinectl.hosts.docker_environment import left_in_shell
    from machinectl.shell import detect, env_script

    # Without these, Testcontainers would go on to use the machine of a socket.
    others = dict.fromkeys(left_in_shell(environment))
    own_shell = shell or detect(environment, os.getppid())
    return env_script(own_shell, {**variables, **others}, typed, environment.get("PATH", ""))


def file_text(form: str, variables: Mapping[str, str | None], *, unset: bool) -> str:
    """Raise UsageError if the format cannot hold a value."""
    from machinectl.errors import wrong_choice
    from machinectl.files import env_file

    if form not in env_file.FORMS:
        raise wrong_choice("--format", form, tuple(env_file.FORMS))
    if unset and form != "json":
        raise UsageError(f"A file of {form} unsets nothing", Hint("Delete the file; or ask for: --format json"))
    return env_file.format_variables(form, variables)


def env_variables(
    store: Store,
    names: Sequence[str],
    environment: Mapping[str, str],
    *,
    unset: bool = False,
    no_proxy: bool = False,
    swarm: bool = False,
) -> dict[str, str | None]:
    """Return docker's variables; None unsets one.

    Queries the engine only if its certificates may differ. If an unreachable host were an error here, the shell would
    keep the previous machine.
    """
    from machinectl.hosts.docker_environment import VARIABLES, docker_variables, engine_name

    if unset and names:
        raise MachineError("Expected no machine name when the -u flag is present", Hint("", "machinectl env -u"))
    variables: dict[str, str | None] = dict.fromkeys(VARIABLES)
    if not unset:
        variables = docker_variables(store, engine_name(store, names, swarm=swarm))
    if no_proxy:
        # curl and Go read both; the lower-case name wins.
        variable = "no_proxy" if environment.get("no_proxy") else "NO_PROXY"
        before = environment.get(variable, "")
        url = environment.get("DOCKER_HOST", "") if unset else variables["DOCKER_HOST"] or ""
        hosts = proxy_hosts(url, before, unset=unset)
        if (hosts != before or not hosts) if unset else hosts:
            variables[variable] = hosts or None
    return variables


def proxy_hosts(url: str, hosts: str, *, unset: bool) -> str:
    """Return the hosts of a NO_PROXY with a URL's, or without it."""
    from machinectl.url import parse_url

    try:
        host = parse_url(url).host
    except MachineError:
        return hosts
    given = hosts.split(",") if hosts else []
    if unset:
        return ",".join(part for part in given if part.strip() != host)
    return hosts if not host or host in map(str.strip, given) else ",".join([*given, host])


def config(here: Session, *, names: list[str], swarm: bool, as_json: bool) -> None:
    from machinectl.machines.selection import chosen_one

    name = chosen_one(here.store, names)
    flags = config_flags(here.store, here.console, name, os.environ, swarm=swarm)
    if as_json:
        print_json({"Name": name, "Flags": flags})
    else:
        print_lines(flags)


def config_flags(
    store: Store, console: Console, name: str, environment: Mapping[str, str], *, swarm: bool = False
) -> list[str]:
    """Return one flag per line, unquoted: shells keep quotes in command output, and so does docker from 29 on."""
    from machinectl.hosts.docker_environment import docker_variables, engine_name

    name = engine_name(store, [name], swarm=swarm)
    variables = docker_variables(store, name)
    host = f"-H={variables['DOCKER_HOST']}"
    directory = variables["DOCKER_CERT_PATH"]
    if directory is None:
        if environment.get("DOCKER_TLS_VERIFY"):
            console.warn(
                "DOCKER_TLS_VERIFY is set here, and no flag turns it off", Hint("", "env -u DOCKER_TLS_VERIFY docker …")
            )
        return [host]
    if any(letter.isspace() or letter in PATTERN for letter in directory + host):
        console.warn(
            "a shell would split or expand these flags, which contain a blank or a pattern",
            Hint("Use instead", f"eval $(machinectl env {name})"),
        )
    files = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
    return ["--tlsverify", *(f"--{flag}={os.path.join(directory, file)}" for flag, file in files.items()), host]
