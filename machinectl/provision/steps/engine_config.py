"""Configure the engine: certificates, daemon.json, and a drop-in."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from machinectl.provision import client_cas, daemon_json, preflight, revision
from machinectl.provision.client_cas import CLIENTS, CLIENTS_MODE
from machinectl.provision.daemon_json import read_config
from machinectl.provision.decision import Decision, not_applied
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import DROP_INS, OWN_CA, OWN_DIRECTORY, HostFile
from machinectl.provision.host_changes import (
    CaTrusted,
    ConfigMerged,
    DirectoryCreated,
    FileCreated,
    ServiceEnabled,
    ServiceStarted,
)
from machinectl.provision.job import Activation, NewFile, apply_job, command_job
from machinectl.provision.steps import docker_socket, restart_risks
from machinectl.provision.steps.engine_goal import (
    LIVE_RESTORE,
    Goal,
    dockerd_flags,
    goal,
    validate_command,
)
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.target import Allowed, Target

# Files and modes. server.pem holds certificate and key, so that a power cut cannot mix two pairs.
CERTIFICATES = {"ca.pem": "644", "server.pem": "600"}
# Version 0.1's key file, in use until the next configuration.
KEY_OF_0_1 = "server-key.pem"


def recover(facts: Facts, _: Target, __: Allowed = NOTHING_SPECIAL) -> Decision | None:
    """Roll back an interrupted run."""
    if facts.transaction != "applying":
        return None
    return Decision(
        title="Restoring what an interrupted run left half done",
        details=(f"the files in {OWN_DIRECTORY}/transaction",),
        # The interrupted script is saved beside its backups, and restores them.
        job=command_job(f"sh {OWN_DIRECTORY}/transaction/job.sh recover"),
        after=replace(facts, transaction=""),
        failure=partial(not_applied, init=facts.init),
        unforeseen=True,
    )


def container_count(facts: Facts) -> str:
    return plural(len(facts.containers), "container")


def pending_moves(facts: Facts) -> list[restart_risks.Move]:
    """Return what a plain restart would hide, after somebody's edits."""
    return restart_risks.hiding_moves(facts, read_config(facts), read_config(facts), dockerd_flags(facts))


def configure(facts: Facts, target: Target, allowed: Allowed = NOTHING_SPECIAL) -> Decision | None:
    wanted = goal(facts, target)
    if target.ssh_only and not allowed.force:
        check_listener_is_ours(facts, target, wanted)
    files = [*changed_files(facts, target, wanted)]
    is_reached = target.ssh_only or facts.engine_listens
    # The engine may still accept those who were taken out by hand.
    is_read = target.ssh_only or not facts.clients_edited
    if not files and facts.running and facts.service.enabled and is_reached and is_read:
        return None
    docker_socket.check_startable(facts)
    restart_risks.refuse_swarm(facts, allowed)
    after = daemon_json.parse_config(wanted.config, facts.config_path)
    moves = restart_risks.hiding_moves(facts, read_config(facts), after, wanted.flags)
    if moves and not allowed.force:
        raise restart_risks.would_hide(facts, moves, allowed)
    restart_risks.refuse_harm(facts, allowed)
    gone = [file.path for file in files if file.content is None]
    details = [f"write {file.path}" if file.content is not None else f"remove {file.path}" for file in files]
    details += [f"{host} had no TLS, and has it now" for host in wanted.secured]
    details += [f"containers are hidden: {move}" for move in moves]
    title = "Configuring the engine and restarting it" if files else "Starting the engine"
    if facts.clients_edited and not files:
        title = f"Restarting the engine, which has not read {CLIENTS}"
    return Decision(
        title=title,
        details=(*details, "restart docker.service"),
        job=apply_job(
            files,
            Activation(
                "restart",
                0 if target.ssh_only else target.port,
                validate_command(facts, wanted.flags) if files else "",
                containers=restart_risks.care_for_containers(facts, allowed),
                enable=not facts.service.enabled,
            ),
            init=facts.init,
            directories=missing_directories(facts),
        ),
        after=started_with(facts, files, wanted),
        failure=partial(not_applied, init=facts.init),
        changes=changes_made(facts, target, wanted, files),
        # What leaves the record with our certificates.
        undone=(*map(FileCreated, gone), *map(CaTrusted, target.own_cas)) if OWN_CA in gone else (),
        warnings=(*clients_changed(facts, target, wanted), *restart_risks.warnings(facts, target)),
    )


def check_listener_is_ours(facts: Facts, target: Target, wanted: Goal) -> None:
    """Refuse to take away the listener of another computer, which has replaced our CA."""
    own = ("hosts", "tlscert")
    before, after = read_config(facts), daemon_json.parse_config(wanted.config, facts.config_path)
    if before.get("tlscert") == f"{OWN_DIRECTORY}/server.pem" and any(before.get(key) != after.get(key) for key in own):
        preflight.check_own_ca(facts, target)


def clients_changed(facts: Facts, target: Target, wanted: Goal) -> Iterator[str]:
    """Warn whose access ends or comes back with clients.pem."""
    reads = read_config(facts).get("tlscacert")
    if target.ssh_only or wanted.clients is None:
        own = client_cas.ca_digests(client_cas.file_text(facts, OWN_CA))
        found = client_cas.unrecorded_cas(facts, {*own, *target.ending}, target.holder_names)
        if target.ssh_only and found and certificates_to_remove(facts, target):
            yield f"The engine stops listening, which suspends the access of: {', '.join(found)}"
        elif found and not target.ssh_only:
            yield f"{CLIENTS} is removed, and with it the access of: {', '.join(found)}"
    elif not (listed := client_cas.listed_cas(facts)) or (reads != CLIENTS and not facts.trusted):
        digests = client_cas.ca_digests(wanted.clients)
        if back := [target.holder_names[digest] for digest in digests if digest in target.holder_names]:
            how = "read again" if listed else "written"
            yield f"{CLIENTS} is {how}: that gives access back to {', '.join(back)}"


def changed_files(facts: Facts, target: Target, wanted: Goal) -> list[NewFile]:
    """Return the files to install, ordered so that the engine can start after each."""
    files = [] if target.ssh_only else own_certificates(target, CERTIFICATES)
    files = [file for file in files if not is_installed(facts, file.path, file.mode, file.content or b"")]
    listed = facts.files.get(CLIENTS)
    is_listed = listed is not None and listed.content == wanted.clients
    is_listed = is_listed and (target.ssh_only or listed == (CLIENTS_MODE, 0, 0, wanted.clients))
    if wanted.clients is not None and not is_listed:
        files.append(NewFile(CLIENTS, CLIENTS_MODE, wanted.clients))
    environment = docker_unit.environment_file(target.variables) if target.env else None
    if environment is not None and not is_installed(facts, docker_unit.ENVIRONMENT_FILE, "600", environment):
        files.append(NewFile(docker_unit.ENVIRONMENT_FILE, "600", environment))
    drop_ins = {path: file for path, file in facts.files.items() if docker_unit.is_our_drop_in(path)}
    if wanted.drop_in is not None:
        there = drop_ins.pop(wanted.drop_in_path, None)
        if there is None or (there.mode, there.content) != ("644", wanted.drop_in):
            files.append(NewFile(wanted.drop_in_path, "644", wanted.drop_in))
    files += [NewFile(path) for path in drop_ins]
    if (facts.config_content or b"") != wanted.config:
        files += [] if target.earlier else backup(facts)
        files.append(NewFile(facts.config_path, facts.config_mode, wanted.config))
        if target.ssh_only:
            # First: without our drop-in, the unit's -H and `hosts` exclude each other.
            files.insert(0, files.pop())
    if environment is None and docker_unit.ENVIRONMENT_FILE in facts.sums:
        files.append(NewFile(docker_unit.ENVIRONMENT_FILE))
    if f"{OWN_DIRECTORY}/{KEY_OF_0_1}" in facts.sums:
        files.append(NewFile(f"{OWN_DIRECTORY}/{KEY_OF_0_1}"))
    if target.ssh_only:
        return [*files, *certificates_to_remove(facts, target)]
    # Another machine's: its holders are none of this one's.
    return [*files, *([NewFile(CLIENTS)] if wanted.clients is None and CLIENTS in facts.files else [])]


def own_certificates(target: Target, modes: Mapping[str, str]) -> list[NewFile]:
    return [NewFile(f"{OWN_DIRECTORY}/{name}", mode, target.certificates[name]) for name, mode in modes.items()]


def certificates_to_remove(facts: Facts, target: Target) -> list[NewFile]:
    """Return the files of our TLS, unless another computer's machine has replaced them.

    clients.pem stays: every computer that makes the engine listen again finds there who has access.
    """
    ca = facts.sums.get(OWN_CA)
    if not target.own_cas or (ca and ca.sha256 not in target.own_cas):
        return []
    paths = [path for name in reversed(CERTIFICATES) if (path := f"{OWN_DIRECTORY}/{name}") in facts.sums]
    # The revision holds the server's key and settings. Its number stays: the next computer counts on from it.
    number = f"{revision.Revision.parse(facts.revision).number}\n".encode()
    numbered = [NewFile(revision.PATH, revision.MODE, number)] if paths and facts.revision else []
    return [*map(NewFile, paths), *numbered]


def certificate_files(facts: Facts, target: Target) -> list[NewFile]:
    """Return certificates, and the CAs of other holders, at the engine's configured paths."""
    config, wanted = read_config(facts), CERTIFICATES
    if config.get("tlskey") == f"{OWN_DIRECTORY}/{KEY_OF_0_1}":
        wanted = {**CERTIFICATES, KEY_OF_0_1: "600"}
    files = own_certificates(target, wanted)
    if config.get("tlscacert") != CLIENTS:
        return files
    # The engine does not start without the file.
    text = client_cas.wanted_clients(facts, target)
    return [*files, NewFile(CLIENTS, CLIENTS_MODE, target.certificates["ca.pem"] if text is None else text)]


def is_installed(facts: Facts, path: str, permissions: str, data: bytes) -> bool:
    there = facts.sums.get(path)
    wanted = (permissions, 0, 0, hashlib.sha256(data).hexdigest())
    return there is not None and tuple(there) == wanted


def changed_keys(facts: Facts, wanted: Goal) -> dict[str, Any]:
    """Return changed keys of daemon.json; None for removed ones."""
    before, after = read_config(facts), daemon_json.parse_config(wanted.config, facts.config_path)
    gone = {key: None for key in before if key not in after}
    return {key: value for key, value in after.items() if before.get(key) != value} | gone


def with_files(facts: Facts, files: Sequence[NewFile]) -> Facts:
    gone = {file.path for file in files if file.content is None}
    new = {file.path: HostFile(file.mode, 0, 0, file.content) for file in files if file.content is not None}
    copy = f"{facts.config_path}.before-machinectl"
    return replace(
        facts,
        files={path: file for path, file in facts.files.items() if path not in gone} | new,
        sums={path: file for path, file in facts.sums.items() if path not in gone},
        backup=copy if copy in new else "" if facts.backup in gone else facts.backup,
    )


def started_with(facts: Facts, files: Sequence[NewFile], wanted: Goal) -> Facts:
    after = with_files(facts, [file for file in files if file.path.startswith(facts.config_path)])
    after = replace(after, edited=False, clients_edited=False, trusted=b"")
    if not facts.info or any(flag.name == LIVE_RESTORE for flag in wanted.flags):
        return after
    return replace(after, info={**facts.info, "LiveRestoreEnabled": bool(read_config(after).get(LIVE_RESTORE))})


def changes_made(facts: Facts, target: Target, wanted: Goal, files: list[NewFile]) -> tuple[Change, ...]:
    found: list[Change] = [*map(DirectoryCreated, missing_directories(facts))]
    for file in files:
        if file.path == facts.config_path:
            found.append(config_change(facts, wanted.ours, wanted.config))
        elif file.content is not None:
            found.append(FileCreated(file.path))
        if file.path == OWN_CA and file.content is not None:
            # Lets a later run with another CA recognize ours.
            found.append(CaTrusted(hashlib.sha256(file.content).hexdigest()))
    if not facts.service.enabled:
        found.append(ServiceEnabled("docker.service"))
    # An engine that we configured before is on record already, if we started it.
    if not (facts.running or target.own_cas or target.earlier or OWN_CA in facts.sums):
        if facts.init == "systemd" and not facts.socket.active:
            found.append(ServiceStarted("docker.socket"))
        found.append(ServiceStarted("docker.service"))
    return tuple(found)


def config_change(facts: Facts, ours: dict[str, Any], written: bytes) -> ConfigMerged:
    there = facts.config_content
    before = None if there is None else there.decode("utf-8", "surrogateescape")
    return ConfigMerged(facts.config_path, before, facts.config_mode, ours, hashlib.sha256(written).hexdigest())


def missing_directories(facts: Facts) -> tuple[str, ...]:
    """Return the directories to create, deepest first."""
    return tuple(each for each in (OWN_DIRECTORY, "/etc/docker", DROP_INS) if each not in facts.directories)


def backup(facts: Facts) -> list[NewFile]:
    there = facts.config_content
    if there is None or facts.backup:
        return []
    return [NewFile(f"{facts.config_path}.before-machinectl", facts.config_mode, there)]
