"""Let the SSH user use the engine's socket, as docker's ssh:// needs it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, Hint
from machinectl.provision.decision import Decision, failure
from machinectl.provision.host_changes import USER, GroupJoined, of_kind
from machinectl.provision.job import command_job
from machinectl.provision.target import NOTHING_SPECIAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.target import Allowed, Target


def join(facts: Facts, target: Target, _: Allowed = NOTHING_SPECIAL) -> Decision | None:
    if not (target.ssh_only and is_missing(facts)):
        return None
    user, group = facts.login, facts.socket_group
    check_group(facts)
    return Decision(
        f"Making {user} a member of the group {group}",
        (join_command(user, group).partition(" || ")[0],),
        command_job(join_command(user, group)),
        replace(facts, login_groups=facts.login_groups | {group}),
        failure(
            f"{user} did not become a member of the group {group}",
            Hint("On the host, as root", "usermod -aG", group, user),
        ),
        changes=(GroupJoined(user, group),),
        warnings=(f"{user} becomes a member of the group {group}, and with that has root's power on the host",),
    )


def leave_unused(facts: Facts, target: Target, _: Allowed = NOTHING_SPECIAL) -> Decision | None:
    """End a membership of ours once the engine listens."""
    return leave(facts, [target.joined]) if target.joined and not target.ssh_only else None


def is_missing(facts: Facts) -> bool:
    """Return whether the SSH user may not use the engine."""
    return bool(facts.login) and facts.socket_group not in facts.login_groups


def check_group(facts: Facts) -> None:
    """Raise CheckFailed if the user cannot be made a member."""
    if facts.socket_group == "root":
        raise CheckFailed(
            "The engine's socket belongs to the group root on the host, so that only root may use it",
            Hint("On the host, as root: groupadd --system docker; chgrp docker /var/run/docker.sock")
            | Hint("or log in as root"),
        )
    if not (re.fullmatch(USER, facts.login) and re.fullmatch(USER, facts.socket_group)):
        raise CheckFailed(
            f"{facts.login} is not a member of the group {facts.socket_group} on the host",
            Hint("Make it one, on the host, as root", "usermod -aG", facts.socket_group, "<USER>")
            | Hint("then run this again"),
        )


def leave(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    joined = [change for change in of_kind(changes, GroupJoined) if is_engines(facts, change)]
    if not joined:
        return None
    [*names] = [f"{change.user} from the group {change.group}" for change in joined]
    commands = [leave_command(change.user, change.group) for change in joined]
    return Decision(
        f"Removing {' and '.join(names)}",
        tuple(command.partition(" || ")[0] for command in commands),
        command_job(" && ".join(f"{{ {command}; }}" for command in commands)),
        replace(facts, login_groups=facts.login_groups - {change.group for change in joined}),
        failure("The group's member could not be removed", Hint("Look on the host", "getent group docker")),
        undone=tuple(joined),
    )


def is_engines(facts: Facts, change: GroupJoined) -> bool:
    """Return whether a recorded group is one that lets its members use the engine, and no other power."""
    return change.group in {"docker", facts.socket_group}


def join_command(user: str, group: str) -> str:
    """Users of a directory service are in no /etc/passwd, which usermod wants; busybox has addgroup only."""
    user, group = shlex.quote(user), shlex.quote(group)
    return f"usermod -aG {group} {user} || gpasswd -a {user} {group} || addgroup {user} {group}"


def leave_command(user: str, group: str) -> str:
    """Succeed if the user or the group is gone."""
    user, group = shlex.quote(user), shlex.quote(group)
    is_gone = f"! id -nG {user} | tr ' ' '\\n' | grep -Fqx {group}"
    return f"gpasswd -d {user} {group} || delgroup {user} {group} || {is_gone}"
