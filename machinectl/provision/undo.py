"""Undo what provisioning changed on a host, from a machine's record of it. Containers and images stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.changes import (
    ConfigMerged,
    DirectoryMade,
    FileMade,
    PackageInstalled,
    PortOpened,
    ServiceEnabled,
    of_kind,
)
from machinectl.provision import daemon_json, distributions
from machinectl.provision.configuration import LIVE_RESTORE, TLS_FLAGS, content, count, mode, read
from machinectl.provision.decision import Decision, not_applied
from machinectl.provision.facts import OWN_DIRECTORY
from machinectl.provision.firewall import failure as firewall_failure
from machinectl.provision.installation import failure as package_failure
from machinectl.provision.job import Job, NewFile, apply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.changes import Change
    from machinectl.provision.facts import Facts


def undo(facts: Facts, changes: Sequence[Change], *, purge_engine: bool, os: str = "") -> list[Decision]:
    """What is to be done, in order; empty where nothing of ours is left."""
    decisions = files_back(facts, changes)
    if of_kind(changes, ServiceEnabled) and facts.service.enabled:
        decisions.append(service_disabled(facts))
    decisions += [port_closed(facts, change) for change in of_kind(changes, PortOpened)]
    if purge_engine:
        decisions += [package_removed(facts, change.subject, os) for change in of_kind(changes, PackageInstalled)]
    return decisions


def files_back(facts: Facts, changes: Sequence[Change]) -> list[Decision]:
    """daemon.json, drop-in and certificates; a restart under live-restore, which goes last where it was ours."""
    there = {*facts.files, *facts.sums, facts.backup}
    files = [NewFile(change.subject) for change in of_kind(changes, FileMade) if change.subject in there]
    config = next(iter(of_kind(changes, ConfigMerged)), None)
    last = original = content(facts)
    permissions = config.mode if config else mode(facts)
    if config is not None and config.path != facts.config_path:
        config = None
    if facts.config is not None and (config or files):
        original = last = config_before(facts, config)
        if facts.containers and not facts.swarm and facts.running:
            last = with_live_restore(original)
    if last != content(facts):
        # First of all: without the drop-in, its `hosts` would clash with the unit's -H.
        files.insert(0, NewFile(facts.config_path, permissions, last))
    if not files and original == content(facts):
        return []
    directories = deepest_first(change.subject for change in of_kind(changes, DirectoryMade))
    keeping = f"; {count(facts)} kept running" if facts.containers else ""
    decisions = [
        Decision(
            f"Taking our configuration out of the engine{keeping}",
            tuple(f"{'remove' if file.content is None else 'put back'} {file.path}" for file in files),
            apply(files, init=facts.init, action="restart" if facts.running else "none", directories=directories),
            facts,
            not_applied,
        )
    ]
    if last != original:
        decisions += live_restore_off(facts, original, permissions, directories)
    return decisions


def live_restore_off(
    facts: Facts, original: bytes | None, permissions: str, directories: tuple[str, ...]
) -> list[Decision]:
    """Turn it off in the running engine, and put the file back: a reload leaves alone what the file does not name."""
    config = daemon_json.parse(original, facts.config_path)
    off = daemon_json.dump({**config, LIVE_RESTORE: False}, original)

    def write(text: bytes | None, action: str) -> Job:
        files = [NewFile(facts.config_path, permissions, text)]
        expected = "false" if action == "reload" else ""
        return apply(files, init=facts.init, action=action, live_restore=expected, directories=directories)

    return [
        Decision(
            "Turning live-restore off, as it was",
            ("reload docker.service",),
            write(off, "reload"),
            facts,
            not_applied,
        ),
        Decision(
            f"Putting {facts.config_path} back as it was",
            (f"put back {facts.config_path}",),
            write(original, "none"),
            facts,
            not_applied,
        ),
    ]


def config_before(facts: Facts, change: ConfigMerged | None) -> bytes | None:
    """daemon.json without our keys: just as it was, byte for byte, where nobody else changed it since.

    Without a change of ours on record, an earlier machine's keys may still name the certificates that go now.
    """
    now = read(facts)
    if change is None:
        kept = without_earlier(now)
        return content(facts) if kept == now else daemon_json.dump(kept, content(facts))
    before_bytes = None if change.before is None else change.before.encode("utf-8", "surrogateescape")
    before = daemon_json.parse(before_bytes, facts.config_path)
    result = without_earlier(daemon_json.put_back(now, before, change.ours))
    if result == now:
        return content(facts)
    if result == before:
        return before_bytes
    return daemon_json.dump(result, content(facts))


def without_earlier(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without what an earlier machine, forgotten since, had put there and so is not in our record.

    Its certificates lie where ours do, and go with them: an engine that is told of them would not start.
    """
    if not str(config.get("tlscert", "")).startswith(f"{OWN_DIRECTORY}/"):
        return config
    hosts = [host for host in config.get("hosts", []) if not str(host).startswith("tcp://")]
    rest = {key: value for key, value in config.items() if key not in {*TLS_FLAGS, "hosts"}}
    return {**rest, "hosts": hosts} if hosts else rest


def with_live_restore(text: bytes | None) -> bytes:
    """The same with live-restore on: dockerd stops the containers that it finds running when it starts without."""
    config = daemon_json.parse(text, "daemon.json")
    if config.get(LIVE_RESTORE) is True and text is not None:
        return text
    return daemon_json.dump({**config, LIVE_RESTORE: True}, text)


def deepest_first(paths: Any) -> tuple[str, ...]:
    return tuple(sorted(set(paths), key=lambda path: -path.count("/")))


def service_disabled(facts: Facts) -> Decision:
    """The engine was not started at boot before us."""
    command = "systemctl -q disable docker.service" if facts.init == "systemd" else "rc-update -q del docker default"
    return Decision(
        "Leaving the engine out of the boot, as it was", (command,), single(command), facts, firewall_failure
    )


def port_closed(facts: Facts, change: PortOpened) -> Decision:
    return Decision(
        f"Closing the port in {change.firewall}", (change.undo,), single(change.undo), facts, firewall_failure
    )


def single(command: str) -> Job:
    return Job("command.sh", {"command": command})


def package_removed(facts: Facts, package: str, os: str) -> Decision:
    """The engine's package goes; what it wrote below /var/lib/docker stays."""
    command = distributions.choose(facts.os_release, os).remove(package)
    return Decision(f"Removing the package {package}", (command,), single(command), facts, package_failure)
