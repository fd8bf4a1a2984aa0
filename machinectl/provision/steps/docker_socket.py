"""The engine's unix socket: docker.socket, the group that may use it, and whether docker reaches it over SSH."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, Hint, one_line
from machinectl.provision import preflight
from machinectl.provision.daemon_json import listed, read_config
from machinectl.provision.decision import Decision, failure
from machinectl.provision.facts import docker_unit
from machinectl.provision.host_changes import USER, GroupJoined, of_kind
from machinectl.provision.job import command_job
from machinectl.provision.target import NOTHING_SPECIAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.job import Remote
    from machinectl.provision.target import Allowed, Target

UNIT = "docker.socket"
RESTART = f"systemctl restart {UNIT} docker"
# Ask, as `docker system dial-stdio` does: an engine may hold a socket that systemd opened, and not answer there.
ASK_SECONDS = 10
ASK = f"timeout {ASK_SECONDS} docker version --format '{{{{.Server.Version}}}}'"


def hosts(facts: Facts) -> list[str]:
    """Return the addresses that the engine's flags and daemon.json name, with ours."""
    flags = docker_unit.all_flags(facts.unit, facts.environment, ours=True) if facts.unit else []
    return [*(flag.value for flag in flags if flag.name == "host"), *map(str, listed(read_config(facts), "hosts"))]


def is_needed(facts: Facts) -> bool:
    """Return whether docker.service does not start without docker.socket."""
    # An empty value resets no dependencies.
    is_required = re.search(rf"^\s*Requires\s*=(.*\s)?{re.escape(UNIT)}(\s|$)", facts.unit, re.MULTILINE)
    return bool(is_required) or any(host.startswith("fd://") for host in hosts(facts))


def check_startable(facts: Facts) -> None:
    """Refuse to restart an engine that systemd would not start again."""
    preflight.check_not_masked(facts)
    if UNIT in facts.masked and is_needed(facts):
        preflight.check_not_masked(facts, UNIT)


def ask_over_ssh(login: Remote) -> str:
    """Return what docker says to the SSH user if it does not reach the engine, else ""."""
    result = login.run(ASK, check=False)
    said = one_line((result.stderr or result.stdout).decode(errors="replace"))
    return "" if result.status == 0 else said or f"docker ended with status {result.status} (124: no answer in time)"


def check_reached_over_ssh(facts: Facts, target: Target) -> None:
    """Refuse an engine without a listener that docker would not reach over SSH either."""
    said = facts.docker_over_ssh
    # Joining the group, or starting the engine, may be all that it needs.
    is_mended = not facts.running or ("permission denied" in said and is_user_missing(facts))
    if not (target.ssh_only and said) or is_mended:
        return
    there = "" if target.name else f", on the host as {facts.login or 'root'}"
    otherwise = with_listener(target.name) if target.name else Hint("or omit --ssh-only")
    raise CheckFailed(
        f"docker does not reach the engine over SSH: {said}",
        Hint(f"See why{there}", target.on_host("docker version")) | otherwise,
    )


def with_listener(name: str) -> Hint:
    return Hint("or let the engine listen", "machinectl set --no-ssh-only", name) | Hint(
        "", "machinectl provision", name
    )


def join_group(facts: Facts, target: Target, _: Allowed = NOTHING_SPECIAL) -> Decision | None:
    if not (target.ssh_only and is_user_missing(facts)):
        return None
    check_group(facts)
    user, group = facts.login, facts.socket_group
    join = f"usermod -aG {group} {user}"
    return Decision(
        f"Making {user} a member of the group {group}",
        (join,),
        # Users of a directory service are in no /etc/passwd, which usermod wants; busybox has addgroup only.
        command_job(f"{join} || gpasswd -a {user} {group} || addgroup {user} {group}"),
        replace(facts, login_groups=facts.login_groups | {group}),
        failure(
            f"{user} did not become a member of the group {group}",
            Hint("On the host, as root", "usermod -aG", group, user),
        ),
        changes=(GroupJoined(user, group),),
        warnings=(f"{user} becomes a member of the group {group}, and with that has root's power on the host",),
    )


def leave_unused_group(facts: Facts, target: Target, _: Allowed = NOTHING_SPECIAL) -> Decision | None:
    """End a membership of ours once the engine listens."""
    return leave_group(facts, [target.joined]) if target.joined and not target.ssh_only else None


def is_user_missing(facts: Facts) -> bool:
    """Return whether the SSH user may not use the engine."""
    return bool(facts.login) and facts.socket_group not in facts.login_groups


def check_group(facts: Facts) -> None:
    """Raise CheckFailed if the user cannot be made a member."""
    is_name = re.fullmatch(USER, facts.login) and re.fullmatch(USER, facts.socket_group)
    if facts.socket_group == "root" or not is_name:
        raise CheckFailed(
            f"{facts.login} may not use the engine's socket on the host (group {facts.socket_group})",
            Hint("Give it to a group, on the host, as root", "groupadd -f docker; chgrp docker /var/run/docker.sock")
            | Hint("make the user a member", "usermod -aG docker", "<USER>")
            | Hint("then run this again"),
        )


def leave_group(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    joined = [change for change in of_kind(changes, GroupJoined) if is_engines_group(facts, change)]
    if not joined:
        return None
    leaving = [(shlex.quote(change.user), shlex.quote(change.group)) for change in joined]
    # It succeeds if the user or the group is gone.
    commands = [
        f"{{ gpasswd -d {user} {group} || delgroup {user} {group} ||"
        f" ! id -nG {user} | tr ' ' '\\n' | grep -Fqx {group}; }}"
        for user, group in leaving
    ]
    return Decision(
        f"Removing {' and '.join(f'{change.user} from the group {change.group}' for change in joined)}",
        tuple(f"gpasswd -d {user} {group}" for user, group in leaving),
        command_job(" && ".join(commands)),
        replace(facts, login_groups=facts.login_groups - {change.group for change in joined}),
        failure("The group's member could not be removed", Hint("Look on the host", "getent group docker")),
        undone=tuple(joined),
    )


def is_engines_group(facts: Facts, change: GroupJoined) -> bool:
    """Return whether a recorded group is one that lets its members use the engine, and no other power."""
    return change.group in {"docker", facts.socket_group}
