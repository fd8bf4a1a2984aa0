"""What a compose project needs of this computer, by `docker compose config`."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl.compose.arguments import DRY_RUN, FILE, SEPARATOR, CommandLine, project_directory, project_files
from machinectl.errors import Hint, MachineError, UsageError, one_line
from machinectl.hosts.docker_program import docker_program
from machinectl.json_values import as_dict, as_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    # A volume of a service, in compose's long form: docs.docker.com/reference/compose-file/services/#volumes.
    Volume = Mapping[str, Any]

# The sections whose entries may be a file of this computer.
FILE_SECTIONS = ("configs", "secrets")
# What compose understands as a place on the engine's host.
BIND = "bind"


@dataclass(frozen=True)
class Bind:
    """A volume of a service whose source is here. `covered`: what other volumes of the service hide of it."""

    service: str
    volume: Volume
    source: str
    covered: frozenset[str] = frozenset()

    @property
    def is_made_if_missing(self) -> bool:
        return bool(as_dict(self.volume.get(BIND)).get("create_host_path"))


@dataclass(frozen=True)
class Project:
    """`binds` and `files`, by section and name, are here, by their real paths; `host_paths` are the host's."""

    name: str
    directory: str
    compose_files: tuple[str, ...] = ()
    binds: tuple[Bind, ...] = ()
    files: Mapping[tuple[str, str], str] = field(default_factory=dict)
    host_paths: tuple[str, ...] = ()

    @property
    def sources(self) -> list[str]:
        return sorted({*(bind.source for bind in self.binds), *self.files.values()})

    def override(self, place: str) -> str:
        """Return the compose file that takes sources from below a directory of the host.

        A volume replaces the one with the same target, so that each is repeated whole.
        """
        services: dict[str, Any] = {}
        for bind in self.binds:
            options = {**as_dict(bind.volume.get(BIND)), "create_host_path": False}
            volume = {**bind.volume, "source": place + bind.source, BIND: options}
            services.setdefault(bind.service, {"volumes": []})["volumes"].append(volume)
        found: dict[str, Any] = {"services": services} if services else {}
        for (section, name), source in self.files.items():
            found.setdefault(section, {})[name] = {"file": place + source}
        return json.dumps(found, indent=1).replace("$", "$$")


def read_project(line: CommandLine, environment: Mapping[str, str], allowed: Sequence[str]) -> Project:
    """Read a project, whose sources may also be in the `allowed` directories.

    Raises UsageError for a source outside, and MachineError if compose refuses the project.
    """
    files = project_files(line, environment)
    if not files:
        raise UsageError(
            "There is no compose file here or above", Hint("Name it", "machinectl compose <NAME> -- -f <FILE> up")
        )
    directory = project_directory(line, files)
    model = config(line, environment, files, directory)
    roots = [os.path.realpath(path) for path in (directory, *allowed)]
    found = list(all_binds(model))
    typed: dict[tuple[str, str], str] = {}
    if any(not is_within(os.path.realpath(volume["source"]), roots) for _, volume, _ in found):
        as_typed = config(line, environment, files, directory, "--no-path-resolution")
        typed = {(service, volume["target"]): volume["source"] for service, volume, _ in all_binds(as_typed)}
    binds, host_paths = [], []
    for service, volume, covered in found:
        source = os.path.realpath(volume["source"])
        words = str(typed.get((service, volume["target"]), volume["source"]))
        if not is_within(source, roots):
            if not os.path.isabs(words):
                raise outside(words, source, f'service "{service}"')
            host_paths.append(words)
            continue
        binds.append(Bind(service, volume, source, covered))
    return Project(
        str(model.get("name", "")),
        directory,
        tuple(files),
        tuple(binds),
        dict(own_files(model, roots)),
        tuple(sorted(set(host_paths))),
    )


def all_binds(model: Mapping[str, Any]) -> Iterable[tuple[str, Volume, frozenset[str]]]:
    """Yield services' binds, each with what other volumes of the service cover of it, as relative paths."""
    for service, declared in as_dict(model.get("services")).items():
        volumes = [as_dict(volume) for volume in as_list(as_dict(declared).get("volumes"))]
        targets = [os.path.normpath(str(volume.get("target", ""))) for volume in volumes]
        for volume, target in zip(volumes, targets, strict=True):
            if volume.get("type") == BIND and volume.get("source"):
                inner = (other for other in targets if other != target and is_within(other, [target]))
                yield service, volume, frozenset(os.path.relpath(other, target) for other in inner)


def own_files(model: Mapping[str, Any], roots: Sequence[str]) -> Iterable[tuple[tuple[str, str], str]]:
    for section in FILE_SECTIONS:
        for name, declared in as_dict(model.get(section)).items():
            if path := str(as_dict(declared).get("file") or ""):
                source = os.path.realpath(path)
                if not is_within(source, roots):
                    raise outside(path, source, f'{section.removesuffix("s")} "{name}"')
                yield (section, name), source


def is_within(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def outside(words: str, source: str, user: str) -> UsageError:
    directory = source if os.path.isdir(source) else os.path.dirname(source)
    return UsageError(
        f"{words} of {user} is outside of the project",
        Hint("To copy it to the host, too", "machinectl compose --allow", directory, "<NAME>", "up"),
    )


def config(
    line: CommandLine, environment: Mapping[str, str], files: Sequence[str], directory: str, *flags: str
) -> dict[str, Any]:
    """Return the project as `docker compose config` shows it, with all profiles if it allows that."""
    options = [option for option in line.options if option != DRY_RUN]
    for profiles in (["--profile=*"], []):
        command = [docker_program(), "compose", *options, *profiles, "config", "--format=json", *flags]
        done = subprocess.run(
            command,
            env=with_files(line, environment, files),
            # What is typed is relative to it.
            cwd=directory if flags else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            # It writes $ as $$, which stands for it in a compose file.
            return as_dict(json.loads(done.stdout.replace(b"$$", b"$")))
    said = done.stderr.decode(errors="replace").strip()
    raise MachineError(
        f"docker compose: {one_line(said.splitlines()[-1] if said else 'it gives no reason')}",
        Hint("See the whole message", "docker compose config --quiet"),
    )


def with_files(line: CommandLine, environment: Mapping[str, str], files: Sequence[str]) -> dict[str, str]:
    """Name the files by the variable that compose's own search would use: it reads the same .env files then."""
    if FILE in line.values:
        return dict(environment)
    return {**environment, "COMPOSE_FILE": SEPARATOR.join(files), "COMPOSE_PATH_SEPARATOR": SEPARATOR}
