"""Edit a machine's record, without touching its host."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.driver import Request, Where
from machinectl.driver.driver_options import absolute_paths
from machinectl.errors import Hint, UsageError
from machinectl.machines import jump_hosts
from machinectl.machines.addresses import check_addresses, check_free
from machinectl.machines.machine_driver import (
    JUMP_HOST,
    SSH_ONLY,
    driver_instance,
    driver_of,
    endpoints_of,
    ssh_url,
    with_jump_host,
    without_ssh,
)
from machinectl.machines.record import PROVISION, Phase, check_ready
from machinectl.machines.spec import check_lifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from machinectl.driver import OptionValue
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held


@dataclass(frozen=True)
class Edit:
    """None or empty leaves a setting; `jump` is "" for no jump host; `engine` has options by key."""

    url: str | None = None
    tls: bool | None = None
    context: bool | None = None
    jump: str | None = None
    addresses: Sequence[str] | None = None
    lifetime: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    unlabel: Sequence[str] = ()
    engine: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    provision: bool | None = None

    @property
    def concerns_host(self) -> bool:
        return bool(self.engine or self.labels or self.unlabel or self.addresses)

    def carry_out(self, held: Held) -> bool:
        """Change the record, all or nothing; return whether `provision` must apply it."""
        machine = held.machine
        # `provision` applies the rest to an incomplete machine.
        if not (self.url is None and self.tls is None and machine.phase == Phase.PROVISIONING):
            check_ready(machine)
        before = host_settings(machine)
        self._edit(machine, held.store.exists)
        if self.options:
            # Last: a new key replaces the old one.
            change_options(machine, self.options)
        check_addresses(machine)
        if self.addresses:
            check_free(held.store, machine)
        waits = False
        if machine.changes and self.concerns_host:
            if machine.phase == Phase.READY and not machine.pending:
                machine.applied = before
            waits = host_settings(machine) != machine.applied
            machine.pending, machine.applied = (PROVISION, machine.applied) if waits else ("", {})
        held.write()
        return waits

    def preview(self, machine: Machine, exists: Callable[[str], bool]) -> Where:
        """Edit `machine` without writing it or copying files; return the host's new location."""
        self._edit(machine, exists)
        there = endpoints_of(machine)
        if not self.options:
            return there
        driver = driver_of(machine)
        asked = absolute_paths(driver.options(), self.options)
        machine.spec = replace(machine.spec, options={**machine.spec.options, **asked})
        wanted = driver.preview(Request(machine.name, machine.directory, machine.spec.options, machine.tls))
        ssh = with_jump_host(machine, wanted.ssh)
        if ssh and there.ssh and not any(option.path and option.name in asked for option in driver.options()):
            # The key was copied when the machine was made.
            ssh = replace(ssh, key=there.ssh.key)
        return Where(wanted.url, ssh)

    def _edit(self, machine: Machine, exists: Callable[[str], bool]) -> None:
        if self.url is not None:
            tls = machine.tls if self.tls is None else self.tls
            change_url(machine, engine_url.with_port(self.url, tls=tls), tls=self.tls)
        if self.jump is not None:
            machine.jump = jump_hosts.with_type(self.jump, exists)
            if self.jump and endpoints_of(machine).ssh is None:
                raise without_ssh(machine, JUMP_HOST, "--ssh-jump")
        if self.addresses is not None:
            machine.addresses = list(self.addresses)
        if self.lifetime is not None:
            check_lifetime(self.lifetime)
        for name in ("context", "provision", "lifetime"):
            if (value := getattr(self, name)) is not None:
                setattr(machine, name, value)
        if self.tls is not None:
            if self.tls and not machine.url.startswith("tcp://"):
                raise UsageError(f"TLS is for tcp:// URLs; the machine's is {machine.url}", Hint("Omit --tls"))
            machine.tls = self.tls
        kept = {key: value for key, value in machine.labels.items() if key not in self.unlabel}
        machine.labels = {**kept, **self.labels}
        machine.engine = replace(machine.engine, **self.engine)
        machine.engine.check()
        self._check_ssh_only(machine)

    def _check_ssh_only(self, machine: Machine) -> None:
        if not machine.engine.ssh_only:
            return
        if "ssh_only" in self.engine and endpoints_of(machine).ssh is None:
            raise without_ssh(machine, SSH_ONLY, "--ssh-only")
        if self.url is not None or self.tls:
            raise UsageError(
                f'"{machine.name}" is reached over SSH only, so that it has no other URL and no TLS',
                Hint("Let its engine listen again", "machinectl set --no-ssh-only", machine.name),
            )


def host_settings(machine: Machine) -> dict[str, Any]:
    """Return the settings that `provision` applies, as in a record."""
    return {"engine": machine.engine.dump(), "labels": machine.labels, "addresses": machine.addresses}


def change_options(machine: Machine, options: Mapping[str, OptionValue]) -> None:
    """Change driver options. The host may move; the engine's port stays."""
    driver = driver_of(machine)
    before = driver.where(driver_instance(machine))
    machine.driver_state = driver.change(driver_instance(machine), options)
    machine.spec = replace(machine.spec, options={**machine.spec.options, **absolute_paths(driver.options(), options)})
    now = driver.where(driver_instance(machine))
    if now.ssh and machine.url.startswith("ssh://"):
        machine.url = ssh_url(now.ssh)
    elif now.url != before.url:
        machine.url = now.url


def change_url(machine: Machine, url: str, *, tls: bool | None) -> None:
    """Change a machine's URL. TLS follows the scheme unless set explicitly."""
    try:
        said = engine_url.uses_tls(machine.url) != machine.tls
    except UsageError:
        # An earlier version took a URL that is refused now: do not change TLS.
        said = True
    made_by = driver_of(machine)
    machine.driver_state = made_by.move(driver_instance(machine), url)
    machine.url = made_by.where(driver_instance(machine)).url
    if tls is None and not (said and machine.url.startswith("tcp://")):
        machine.tls = engine_url.uses_tls(machine.url)
