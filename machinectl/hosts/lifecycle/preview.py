"""What would be done on a host, told before anything is: what was found there, and what a file would become."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed
from machinectl.masking import without_secret
from machinectl.provision import daemon_json, firewall
from machinectl.provision.decision import tail
from machinectl.provision.steps.engine_config import TLS_FLAGS

if TYPE_CHECKING:
    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Job, Remote
    from machinectl.ssh.client.session import Session
    from machinectl.ssh.runner import Runner


def way_in(session: Session, root: Runner) -> str:
    """Who logs in at a host, and how commands there become root's."""
    from machinectl.ssh.client.sudo import Root

    return f"Logged in as {session.user}" + (f", who becomes root by {root.program}" if isinstance(root, Root) else "")


def described(host: Facts, port: int) -> tuple[str, ...]:
    """What a host is like, as far as it matters, a line each."""
    engine = f"Docker Engine {host.version or 'of a version that it does not tell'} ({host.dockerd})"
    running = "running" if host.running else "not running"
    containers = len(host.containers) if host.running else host.stored
    rule = firewall.blocking(host, port)
    return (
        f"System: {host.os_name}, {host.arch}, {host.init or 'no service manager that is known'}",
        f"{engine}, {running}, {containers} container{'' if containers == 1 else 's'}" if host.dockerd else "No engine",
        f"Firewall: {rule.firewall} is in the way of port {port}: {rule.allow} (or --open-firewall)"
        if rule
        else f"Firewall: nothing is seen in the way of port {port}",
    )


def diff(host: Facts, decision: Decision) -> tuple[str, ...]:
    """What a decision makes of daemon.json, as `diff -u` has it; empty where that stays."""
    path = host.config_path
    new = written(decision.job, path)
    if new is None:
        return ()
    old = host.config.content if host.config else b""
    before, after = (without_secret(text.decode(errors="replace")).splitlines() for text in (old, new))
    return tuple(difflib.unified_diff(before, after, path, path, lineterm=""))


def rehearse(remote: Remote, host: Facts, decision: Decision) -> None:
    """Have dockerd judge what a decision makes of daemon.json, as the job does before anything: nothing is changed.

    But for TLS, whose files are not there yet. Raises CheckFailed with what dockerd complains of.
    """
    command, new = decision.job.variables.get("validate", ""), written(decision.job, host.config_path)
    if not (command and new):
        return
    asked = {key: value for key, value in daemon_json.parse(new, host.config_path).items() if key not in TLS_FLAGS}
    # From 27 on dockerd wants to be told that a TCP address has none.
    judged = daemon_json.dump({**asked, "tls": False}, None)
    result = remote.run(
        command.replace(f"--config-file={host.config_path}", "--config-file=/dev/stdin"), input=judged, check=False
    )
    said = tail(result).replace("/dev/stdin", host.config_path)
    if result.status and "unknown flag: --validate" not in said:
        raise CheckFailed(
            f"dockerd would refuse its configuration:\n{said}",
            f"Change what it complains of: on the host in {host.config_path} or docker.service, or what is asked here",
        )


def written(job: Job, path: str) -> bytes | None:
    """What a job would put into a file; None where it leaves that alone."""
    manifest = job.files.get("manifest", b"").decode().splitlines()
    for number, line in enumerate(manifest, 1):
        if line.partition(" ")[2] == path:
            return job.files[str(number)]
    return None
