"""The verbs `push` and `pull`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from machinectl.cli.options.chosen_names import target_names
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.tables.results import with_machine_name
from machinectl.docker_cli.contexts import Contexts
from machinectl.errors import MachineError, UsageError
from machinectl.go.units import human_size
from machinectl.hosts.image_transfer.current_engine import current_engine
from machinectl.hosts.image_transfer.image_sources import EngineSource, FileSource
from machinectl.hosts.image_transfer.transfer import Order
from machinectl.hosts.status.ready_endpoint import ready_endpoint
from machinectl.images.read_archive import Wanted
from machinectl.images.reference import is_image_id, parse_reference
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
        parallel=parallel,
        dry_run=dry_run,
    )
    failed = 0
    begun = time.monotonic()
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
        EngineSource(ready_endpoint(here.store, name)),
        Wanted(image, platform),
        new_reference(image, new_name),
        notes_of(here),
    )
    begun = time.monotonic()
    result = command(here.console, current_engine(os.environ, Contexts()), order)
    seconds = time.monotonic() - begun
    if as_json:
        print_json(as_fields(name, result, seconds))
    else:
        write_out(f"{name}: {sentence(result, seconds)}\n".replace("sent", "fetched"))
    return 0


def source_of(here: Session, machine: str, file: str) -> Source:
    if file:
        return FileSource(file)
    return EngineSource(ready_endpoint(here.store, machine) if machine else current_engine(os.environ, Contexts()))


def notes_of(here: Session) -> str:
    """Return the directory that notes images while they are sent."""
    return os.path.join(here.store.root, NOTES)


def new_reference(image: str, new_name: str) -> Reference | None:
    """Return the name to give; None for an image that was given by its ID or digest. Raises UsageError."""
    if new_name:
        found = parse_reference(new_name)
        if not found.tag:
            raise UsageError(f"--as {harmless(new_name)!r} has a digest", "Give a name and a tag: --as web:1.2")
        return found
    if is_image_id(image):
        return None
    found = parse_reference(image)
    return found if found.tag else None


def sentence(sent: Sent, seconds: float, *, dry_run: bool = False) -> str:
    if not sent.layers and not sent.sent:
        return "nothing to send: it has the image" if not dry_run else "nothing would be sent: it has the image"
    layers = f"{sent.layers} of {plural(sent.of_layers, 'layer')}"
    if dry_run:
        return f"would be sent {human_size(sent.sent)} of {human_size(sent.size)} ({layers})"
    return f"sent {human_size(sent.sent)} of {human_size(sent.size)} ({layers}) in {duration(seconds)}"


def as_fields(name: str, result: Sent | MachineError, seconds: float) -> dict[str, Any]:
    """Return a machine's result; sizes in bytes."""
    sent = Sent(0, 0, 0, 0) if isinstance(result, MachineError) else result
    return {
        "Name": name,
        "Sent": sent.sent,
        "Size": sent.size,
        "Layers": sent.layers,
        "OfLayers": sent.of_layers,
        "Seconds": round(seconds, 3),
        "Error": result.cause if isinstance(result, MachineError) else "",
    }
