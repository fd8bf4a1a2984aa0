"""The verbs `push` and `pull`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from machinectl.cli.options.chosen_names import target_names
from machinectl.cli.options.ending_signals import exiting_on_signals
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.tables.results import with_machine_name
from machinectl.docker_cli.contexts import Contexts
from machinectl.errors import MachineError, UsageError
from machinectl.go.docker_ps import short_id
from machinectl.go.units import human_size
from machinectl.hosts.image_transfer.current_engine import current_engine
from machinectl.hosts.image_transfer.image_sources import EngineSource, FileSource
from machinectl.hosts.image_transfer.transfer import Order
from machinectl.hosts.status.ready_endpoint import ready_endpoint
from machinectl.images.read_archive import Wanted
from machinectl.images.reference import parse_reference
from machinectl.images.send import Sent
from machinectl.quantities import duration, plural

if TYPE_CHECKING:
    from typing import Any

    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.image_transfer.image_sources import Source
    from machinectl.images.reference import Reference

NOTES = "images"


def push(
    here: Session,
    *,
    image: str,
    names: list[str],
    selector: str | None,
    everything: bool,
    source: str,
    file: str,
    platform: str,
    new_name: str,
    parallel: int,
    dry_run: bool,
    as_json: bool,
) -> int:
    from machinectl.commands.push import push as command

    if source and file:
        raise UsageError("--from and --from-file exclude each other", "Leave one of them out")
    targets = target_names(here, names, selector, everything=everything)
    order = Order(
        source_of(here, source, file),
        Wanted(image, platform),
        new_reference(image, new_name),
        notes_of(here),
        renamed=bool(new_name),
        parallel=parallel,
        dry_run=dry_run,
    )
    failed = 0
    begun = time.monotonic()
    # A signal, too, ends with the spool removed.
    with exiting_on_signals():
        for name, result in command(here.store, here.console, targets, order):
            seconds = time.monotonic() - begun
            if as_json:
                print_json(as_fields(name, result, seconds), indent=None)
            if isinstance(result, MachineError):
                failed += 1
                if not as_json:
                    report(with_machine_name(result, name) if len(targets) > 1 else result, here.program)
            elif not as_json:
                write_out(f"{name}: {sentence(result, seconds, dry_run=dry_run)}\n")
    return int(failed > 0)


def pull(here: Session, *, image: str, name: str, platform: str, new_name: str, as_json: bool) -> int:
    from machinectl.commands.pull import pull as command

    order = Order(
        source_of(here, name, ""),
        Wanted(image, platform),
        new_reference(image, new_name),
        notes_of(here),
        renamed=bool(new_name),
    )
    begun = time.monotonic()
    result = command(here.console, current_engine(os.environ, Contexts()), order)
    seconds = time.monotonic() - begun
    if as_json:
        print_json(as_fields(name, result, seconds))
    else:
        write_out(f"{name}: {sentence(result, seconds, fetched=True)}\n")
    return 0


def source_of(here: Session, machine: str, file: str) -> Source:
    if file:
        return FileSource(file)
    if machine:
        return EngineSource(ready_endpoint(here.store, machine), f"machinectl images {machine}")
    return EngineSource(current_engine(os.environ, Contexts()))


def notes_of(here: Session) -> str:
    """Return the directory that notes images while they are sent."""
    return os.path.join(here.store.root, NOTES)


def new_reference(image: str, new_name: str) -> Reference | None:
    """Return the name to give, None for a digest's image. Raises UsageError."""
    found = parse_reference(new_name or image) if new_name or not image.startswith("sha256:") else None
    if new_name and found and not found.tag:
        raise UsageError(f"--as {harmless(new_name)!r} has a digest", "Give a name and a tag: --as web:1.2")
    return found if found and found.tag else None


def sentence(sent: Sent, seconds: float, *, dry_run: bool = False, fetched: bool = False) -> str:
    done = "fetched" if fetched else "sent"
    amount = f"{human_size(sent.sent)} of {human_size(sent.size)}"
    layers = f"{sent.layers} of {plural(sent.of_layers, 'layer')}"
    if sent.present:
        text = "the image is here already" if fetched else "it has the image already"
    elif dry_run:
        text = f"would be {done} {amount} ({layers})"
    else:
        text = f"{done} {amount} ({layers}) in {duration(seconds)}"
    if sent.replaced:
        text += f"; the name {'would move' if dry_run else 'moved'} from image {short_id(sent.replaced)}"
    return text


def as_fields(name: str, result: Sent | MachineError, seconds: float) -> dict[str, Any]:
    """Return a machine's result; sizes in bytes."""
    sent = Sent(0, 0, 0, 0) if isinstance(result, MachineError) else result
    return {
        "Name": name,
        "Sent": sent.sent,
        "Size": sent.size,
        "Layers": sent.layers,
        "OfLayers": sent.of_layers,
        "Present": sent.present,
        "Replaced": sent.replaced,
        "Seconds": round(seconds, 3),
        "Error": result.cause if isinstance(result, MachineError) else "",
    }
