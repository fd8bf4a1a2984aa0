"""`set`: change what is known of a machine and what is asked of its engine; its host is not told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.errors import UsageError
from machinectl.hosts.driven import driver_of, instance
from machinectl.machines.advice import advise
from machinectl.machines.chosen import waiting
from machinectl.machines.engine_options import DECLARED
from machinectl.machines.record import PROVISION, Phase
from machinectl.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from machinectl.console import Console
    from machinectl.driver import OptionValue
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class Edit:
    """What to change; what is None or empty stays as it is.

    `engine` is engine options by their keys, `options` the driver's by their names.
    """

    url: str | None = None
    tls: bool | None = None
    context: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    unlabel: Sequence[str] = ()
    engine: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, OptionValue] = field(default_factory=dict)

    @property
    def is_for_provisioning(self) -> bool:
        """Whether nothing is changed but what `provision` carries out, or the way to the host that it goes."""
        return self.url is None and self.tls is None


def set_machine(store: Store, console: Console, name: str, change: Edit) -> Machine:
    """Change a machine's record and return it. Nothing is changed where any part of it is wrong."""
    if change == Edit():
        raise UsageError("Nothing to set", f"machinectl set --url tcp://192.168.0.30:2376 {name}")
    store.check_exists(name)
    with store.writing(name, waiting(console, name)) as held:
        machine = held.machine
        if not (change.is_for_provisioning and machine.phase is Phase.PROVISIONING):
            store.ready(machine)
        if change.url is not None:
            tls = machine.tls if change.tls is None else change.tls
            move(machine, engine_url.with_port(change.url, tls=tls), tls=change.tls)
        if change.context is not None:
            machine.context = change.context
        if change.tls is not None:
            if change.tls and not machine.url.startswith("tcp://"):
                raise UsageError(f"TLS is for tcp:// URLs; the machine's is {machine.url}", "Leave --tls out")
            machine.tls = change.tls
        machine.labels = {
            **{key: value for key, value in machine.labels.items() if key not in change.unlabel},
            **change.labels,
        }
        machine.engine = replace(machine.engine, **change.engine)
        machine.engine.check()
        if change.options:
            # Last of all: a key that is taken takes the place of the one that is there.
            change_options(machine, change.options)
        waits = bool(machine.changes and (change.engine or change.labels or change.unlabel))
        machine.pending = PROVISION if waits else machine.pending
        held.write()
    console.note(f'"{name}" now: {", ".join(told(machine, change))}')
    if waits:
        console.note(f"Its host is not told yet: machinectl provision {name}")
    advise(console, machine)
    return machine


def told(machine: Machine, change: Edit) -> list[str]:
    """What a machine's record says now of what was changed."""
    where = [f"URL {without_secrets(machine.url)}"] if change.url is not None else []
    tls = [f"TLS {'on' if machine.tls else 'off'}"] if where or change.tls is not None else []
    options = [f"--{name} {shown(value) or 'not given'}" for name, value in change.options.items()]
    labels = [f"label {key}={value}" for key, value in change.labels.items()]
    labels += [f"no label {key}" for key in change.unlabel if key not in change.labels]
    engine = [
        f"{option.flag} {shown(change.engine[option.key]) or 'not given'}"
        for option in DECLARED
        if option.key in change.engine
    ]
    context = [] if change.context is None else [f"docker context {'wanted' if change.context else 'not wanted'}"]
    return [*where, *tls, *context, *options, *labels, *engine]


def shown(asked: Any) -> str:
    """An option's values, without the passwords in them."""
    values = [str(each) for each in asked] if isinstance(asked, list | tuple) else [str(asked)]
    return " ".join(without_secrets(values))


def change_options(machine: Machine, options: Mapping[str, OptionValue]) -> None:
    """Have the driver take other options. Where its host is may be news; the engine's port there stays."""
    driver = driver_of(machine)
    before = driver.where(instance(machine))
    machine.driver_state = driver.change(instance(machine), options)
    machine.spec = replace(machine.spec, options={**machine.spec.options, **options})
    now = driver.where(instance(machine))
    if now.ssh and machine.url.startswith("ssh://"):
        machine.url = str(engine_url.EngineURL("ssh", user=now.ssh.user, host=now.ssh.host, port=now.ssh.port))
    elif now.url != before.url:
        machine.url = now.url


def move(machine: Machine, url: str, *, tls: bool | None) -> None:
    """Point a machine at another URL. TLS that followed from the old URL follows from the new; what was said stays."""
    said = engine_url.uses_tls(machine.url) != machine.tls
    made_by = driver_of(machine)
    machine.driver_state = made_by.move(instance(machine), url)
    machine.url = made_by.where(instance(machine)).url
    if tls is None and not (said and machine.url.startswith("tcp://")):
        machine.tls = engine_url.uses_tls(machine.url)
