"""The features that stand on the core.

To take one out, delete its package, its verbs, its tests and its entry here. Name what a feature adds to the
core as "module:function": it is loaded when it is called. Light path.
"""

from __future__ import annotations

import sys

from machinectl.errors import Hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any


class Follower:
    """Something that is kept in step with the machines of a store.

    `follow` is called with the store, a name, and the machine before and after a change (None: there is none), and
    returns messages; `catch_up` with the store, before a verb. `name` and `repair` say what is wrong if they fail.
    """

    def __init__(self, name: str, repair: Hint, follow: str, catch_up: str = "") -> None:
        self.name = name
        self.repair = repair
        self.follow = follow
        self.catch_up = catch_up


class Feature:
    """A package, the modules of its verbs, and its functions that others call by the name of a hook.

    `computer_checks` is called with the store, the machines that are set up and a Seat; `machine_checks` with the
    store, a machine, a timeout and `logs_in`. Both return Checks for doctor. `renamed` is called with the store, the
    old name and the new one, and returns messages; `machine_at_url` with the store and a docker URL, and returns the
    name of the machine whose engine is there, or ""; `ways_to_use` with the store and a machine, and returns a Hint, an
    empty one if a warning has told what to do, or None; `swarm_status` with the store and a console, after a look at
    all swarms; `before_docker` with a console, machines' names and docker's words; `files_on_host` with the
    store and a name, and returns what is there in words; `remove_files` with the same before the set-up is undone.
    """

    def __init__(self, package: str, *verbs: str, followers: Sequence[Follower] = (), **hooks: str) -> None:
        self.package = package
        self.verbs = verbs
        self.followers = followers
        self.hooks = hooks


SYNC = Hint("then", "machinectl context sync") | Hint("or do without contexts", "export MACHINECTL_CONTEXTS=off")
FEATURES = (
    Feature("fleet", "plan", "apply", "fleet", "fleet_texts"),
    Feature("access", "access", "access_grant", "access_request", "access_issue", "access_texts"),
    Feature("doctor", "doctor"),
    Feature("images", "push", "images"),
    Feature(
        "tunnels",
        "socket",
        "forward",
        computer_checks="machinectl.tunnels.socket_service:checks",
        machine_at_url="machinectl.tunnels.local_sockets:machine_at_socket",
        renamed="machinectl.tunnels.local_sockets:renamed_sockets",
    ),
    Feature(
        "docker_cli",
        "context",
        "builder",
        "docker_plugin",
        "ssh_config",
        "docker",
        followers=(
            Follower("docker's context", SYNC, "machinectl.docker_cli.followers:follow_in_contexts"),
            Follower(
                "ssh's configuration",
                Hint("then", "machinectl ssh-config --write"),
                "machinectl.docker_cli.followers:follow_in_ssh_config",
                catch_up="machinectl.docker_cli.followers:rewrite_ssh_config",
            ),
        ),
        computer_checks="machinectl.docker_cli.doctor_checks:checks",
        machine_checks="machinectl.docker_cli.doctor_checks:machine_checks",
        ways_to_use="machinectl.docker_cli.machine_contexts:ways_to_use",
        swarm_status="machinectl.docker_cli.followers:follow_swarm_status",
    ),
    Feature("swarm", "swarm"),
    Feature("exports", "export", "import_"),
    Feature("renewal", "renew", computer_checks="machinectl.renewal.timer:checks"),
    Feature("discovery", "discover"),
    Feature("inventories", "inventory"),
    Feature(
        "compose",
        "compose",
        before_docker="machinectl.compose.hints:before_docker",
        computer_checks="machinectl.compose.hints:checks",
        files_on_host="machinectl.compose.copies:files_on_host",
        remove_files="machinectl.compose.copies:remove_all",
    ),
)
FOLLOWERS = [follower for feature in FEATURES for follower in feature.followers]


def functions(hook: str) -> Iterator[Callable[..., Any]]:
    """Load the function of each feature that has it."""
    return (function_at(feature.hooks[hook]) for feature in FEATURES if hook in feature.hooks)


def function_at(place: str) -> Callable[..., Any]:
    """Load "module:function"."""
    module, _, name = place.partition(":")
    __import__(module)
    function: Callable[..., Any] = getattr(sys.modules[module], name)
    return function
