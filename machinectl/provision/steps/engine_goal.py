"""Decide the engine's next configuration: daemon.json, its addresses, and dockerd's flags."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import CheckFailed, Hint
from machinectl.provision import client_cas, daemon_json
from machinectl.provision.daemon_json import TLS_FLAGS, listed, read_config
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import OWN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import ConfigMerged
    from machinectl.provision.target import Target

DEFAULT_HOST = "unix:///var/run/docker.sock"
# dockerd refuses these if both daemon.json and flags set them.
TAKEN_OVER = TLS_FLAGS | {"host"}
LIVE_RESTORE, STORAGE_DRIVER = "live-restore", "storage-driver"
# Not engine options.
OURS = TLS_FLAGS | {"hosts"}


class Goal(NamedTuple):
    """The engine's next configuration, without live-restore."""

    # Our keys, and daemon.json's whole text, b"" if it needs none.
    ours: dict[str, Any]
    config: bytes
    # None if no drop-in is needed.
    drop_in_path: str
    drop_in: bytes | None
    # dockerd's remaining flags.
    flags: list[docker_unit.DockerdFlag]
    # Addresses that get TLS: dockerd uses it on all TCP ports or none.
    secured: list[str]
    # clients.pem's text; None if the engine accepts the machine's own CA only. With SSH only, who may come back.
    clients: bytes | None = None


def goal(facts: Facts, target: Target) -> Goal:
    """Plan the configuration. Raises CheckFailed for conflicting settings."""
    there = read_config(facts)
    before = without_unasked(facts, target, there)
    flags = dockerd_flags(facts)
    if target.env and not facts.unit:
        raise CheckFailed(
            "--engine-env is not supported with OpenRC", Hint("Export it in /etc/conf.d/docker on the host")
        )
    flagged = [flag.value for flag in flags if flag.name == "host"]
    if target.ssh_only:
        before = without_listener(facts, target, before, flagged)
    hosts, secured = listeners(flagged, without_ours(facts, target, before, flagged), target, flags)
    # dockerd refuses addresses in both places.
    taken_over = TAKEN_OVER if hosts else {"host"} if "hosts" in before else set()
    kept = [flag for flag in flags if flag.name not in taken_over]
    ours = our_keys(facts, target, before, hosts)
    lists = merged_lists(kept, before, {**before, **ours}) if facts.unit else {}
    if lists:
        ours = lists | our_keys(facts, target, {**before, **lists}, hosts)
        kept = [
            flag
            for flag in kept
            if flag.name not in daemon_json.LISTS or daemon_json.config_key(flag.name) not in lists
        ]
    flagged_values = [(daemon_json.config_key(flag.name), daemon_json.typed_value(flag.value)) for flag in kept]
    ours = {key: value for key, value in ours.items() if key in before or (key, value) not in flagged_values}
    after = {**before, **ours}
    if without_live_restore(after) == without_live_restore(there):
        # live-restore needs no restart.
        after = there
    elif holds_containers(facts) and not any(flag.name == LIVE_RESTORE for flag in kept):
        after[LIVE_RESTORE] = True
    text = facts.config_content or b""
    if after != there or not (text or target.ssh_only):
        text = daemon_json.dump(daemon_json.ordered(after, there), text)
    drop_in = drop_in_without(facts, target, {flag.name for flag in flags} - {flag.name for flag in kept})
    clients = client_cas.wanted_clients(facts, target) if hosts else client_cas.unread_clients(facts, target)
    return Goal(ours, text, docker_unit.drop_in_path(facts.drop_ins), drop_in, kept, secured, clients)


def without_unasked(facts: Facts, target: Target, config: dict[str, Any]) -> dict[str, Any]:
    """Return daemon.json without our earlier options, with the host's own live-restore."""
    earlier, borrowed = target.earlier, target.borrowed
    if earlier and earlier.path == facts.config_path:
        options = {key: value for key, value in earlier.ours.items() if key not in OURS}
        config = daemon_json.put_back(config, daemon_json.parse_config(earlier.bytes_before, earlier.path), options)
    return with_live_restore(config, borrowed.before) if borrowed and borrowed.path == facts.config_path else config


def with_live_restore(config: Mapping[str, Any], value: Any) -> dict[str, Any]:
    return {**config, LIVE_RESTORE: value} if value is not None else without_live_restore(config)


def without_listener(facts: Facts, target: Target, config: dict[str, Any], flagged: list[str]) -> dict[str, Any]:
    """Return daemon.json without our TLS and address; the host's own stay."""
    earlier = target.earlier
    if earlier is None or earlier.path != facts.config_path:
        return config
    before = daemon_json.parse_config(earlier.bytes_before, earlier.path)
    ours = {key: value for key, value in earlier.ours.items() if key in OURS}
    return without_ours(facts, target, daemon_json.put_back(config, before, ours), flagged)


def without_live_restore(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != LIVE_RESTORE}


def holds_containers(facts: Facts) -> bool:
    """Return whether a restart without live-restore stops containers. Swarm nodes never have it."""
    return bool(facts.containers) and not facts.swarm


def merged_lists(
    kept: list[docker_unit.DockerdFlag], before: Mapping[str, Any], keys: Container[str]
) -> dict[str, list[Any]]:
    """Merge lists from flags into daemon.json: dockerd refuses both."""
    found: dict[str, list[Any]] = {}
    for flag in kept:
        key = daemon_json.config_key(flag.name)
        if flag.name in daemon_json.LISTS and key in keys:
            found[key] = daemon_json.extended(found.get(key, before.get(key)), [flag.value])
    return found


def drop_in_without(facts: Facts, target: Target, taken: AbstractSet[str]) -> bytes | None:
    """Return a drop-in without the flags `taken`, if needed."""
    if not facts.unit:
        return None
    there = docker_unit.command_line(facts.unit)
    environment = docker_unit.unit_variables(facts.unit, facts.environment)
    rewritten = docker_unit.without_flags(docker_unit.with_variables_expanded(there, environment, taken), taken)
    if rewritten == there and not target.env:
        return None
    return docker_unit.drop_in(rewritten if rewritten != there else None, environment=bool(target.env))


def dockerd_flags(facts: Facts, *, ours: bool = False) -> list[docker_unit.DockerdFlag]:
    """Return dockerd's flags, with those of our drop-in only if `ours`."""
    return docker_unit.all_flags(facts.unit, facts.environment, ours=ours) if facts.unit else openrc_flags(facts)


def openrc_flags(facts: Facts) -> list[docker_unit.DockerdFlag]:
    """Return dockerd's flags on OpenRC. Raises CheckFailed for flags that only the host's owner can move."""
    values = docker_unit.unit_variables("", facts.environment).values()
    flags = [flag for value in values for flag in docker_unit.parse_flags(docker_unit.WORD.findall(value))]
    for flag in flags:
        if flag.name in TAKEN_OVER:
            raise CheckFailed(
                f"/etc/conf.d/docker on the host sets --{flag.name}, which daemon.json must set",
                Hint(f"Remove --{flag.name} from /etc/conf.d/docker, and run this again"),
            )
    return flags


def without_ours(facts: Facts, target: Target, config: dict[str, Any], flagged: list[str]) -> dict[str, Any]:
    earlier = target.earlier
    if earlier is None or earlier.path != facts.config_path:
        return config
    return without_hosts_of(earlier, config, daemon_json.parse_config(earlier.bytes_before, earlier.path), flagged)


def without_hosts_of(
    change: ConfigMerged, config: dict[str, Any], before: Mapping[str, Any], flagged: Sequence[str] = ()
) -> dict[str, Any]:
    """Remove our TCP addresses from `hosts`: without our certificates, they have no TLS."""
    hosts = listed(config, "hosts")
    ours = {host for host in map(str, listed(change.ours, "hosts")) if port_of(host)}
    ours -= {*flagged, *map(str, listed(before, "hosts"))}
    left = [host for host in hosts if str(host) not in ours]
    if left == hosts:
        return config
    rest = {key: value for key, value in config.items() if key != "hosts"}
    return {**config, "hosts": left} if left else rest


def listeners(
    flagged: list[str], before: dict[str, Any], target: Target, flags: list[docker_unit.DockerdFlag]
) -> tuple[list[str], list[str]]:
    """Return the engine's addresses, and those that had no TLS; none if SSH is enough."""
    if target.ssh_only:
        return [], []
    there = [*flagged, *map(str, listed(before, "hosts"))]
    everywhere = {"", "0.0.0.0", "[::]", "::"}  # noqa: S104 - only compared
    hosts = []
    for host in dict.fromkeys(there or [DEFAULT_HOST]):
        if port_of(host) != target.port:
            hosts.append(host)
        elif not target.bind and host.removeprefix("tcp://").rpartition(":")[0] in everywhere:
            hosts.append(target.listen)
    secured = [] if has_tls(before, flags) else [host for host in dict.fromkeys(there) if port_of(host)]
    return list(dict.fromkeys([*hosts, target.listen])), secured


def has_tls(config: Mapping[str, Any], flags: Sequence[docker_unit.DockerdFlag]) -> bool:
    return any(config.get(key) for key in TLS_FLAGS) or any(flag.name in TLS_FLAGS for flag in flags)


def uses_tls(facts: Facts) -> bool:
    return has_tls(read_config(facts), dockerd_flags(facts, ours=True))


def plain_sockets(facts: Facts) -> list[str]:
    """Return docker.socket's TCP addresses if they have no TLS: an engine uses it on all addresses or none."""
    return [] if uses_tls(facts) else [address for address in facts.socket_listens if port_of(address)]


def tcp_addresses(facts: Facts) -> list[str]:
    """Return the TCP addresses that the host's configuration names for its engine."""
    hosts = [*(flag.value for flag in dockerd_flags(facts) if flag.name == "host")]
    hosts += [*map(str, listed(read_config(facts), "hosts")), *facts.socket_listens]
    return list(dict.fromkeys(host for host in hosts if port_of(host)))


def port_of(host: str) -> int:
    """Return the port of tcp://1.2.3.4:2375 or :2375; 0 if not TCP."""
    scheme, separator, rest = host.partition("://")
    address = rest if separator else host
    if separator and scheme != "tcp":
        return 0
    port = address.rpartition(":")[2].rstrip("/")
    return int(port) if port.isdecimal() else 0


def our_keys(facts: Facts, target: Target, before: dict[str, Any], hosts: list[str]) -> dict[str, Any]:
    ours: dict[str, Any] = daemon_json.option_keys(target.options, before)
    if hosts:
        trusted = "ca.pem" if client_cas.wanted_clients(facts, target) is None else "clients.pem"
        files = {"tlscacert": trusted, "tlscert": "server.pem", "tlskey": "server.pem"}
        ours |= {"hosts": hosts, "tlsverify": True, **{key: f"{OWN_DIRECTORY}/{name}" for key, name in files.items()}}
        if before.get("tls") is False:
            ours["tls"] = True
    # dockerd does not start as a Swarm node with live-restore.
    if facts.swarm and (before | ours).get(LIVE_RESTORE):
        ours[LIVE_RESTORE] = False
    if target.labels:
        ours["labels"] = daemon_json.labelled(before.get("labels"), target.labels)
    for key, more in (
        ("insecure-registries", target.insecure_registries),
        ("registry-mirrors", target.registry_mirrors),
    ):
        if more:
            ours[key] = daemon_json.extended(before.get(key), more)
    if target.storage_driver:
        ours[STORAGE_DRIVER] = target.storage_driver
    return ours


def validate_command(facts: Facts, flags: list[docker_unit.DockerdFlag]) -> str:
    """Return dockerd's check (Docker 23 and later) of daemon.json. It may miss errors; needs no restart."""
    if not facts.dockerd:
        return ""
    words = [f"--{flag.name}={flag.value}" for flag in flags if flag.name != "config-file"]
    return shlex.join([facts.dockerd, "--validate", f"--config-file={facts.config_path}", *words])
