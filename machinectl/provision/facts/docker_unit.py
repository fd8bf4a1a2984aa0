"""Parse docker.service, and write our drop-in.

Edits text, to keep quotes, specifiers and variables (systemd.service(5), "Command lines").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.provision.facts.host_facts import DROP_INS, OWN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from machinectl.provision.facts.host_facts import Facts

ENVIRONMENT_FILE = f"{OWN_DIRECTORY}/environment"
HEADER = "# Made by machinectl from the unit that was there; `machinectl rm --purge` removes it.\n"
OUR_DROP_IN = re.compile(r"z+-machinectl\.conf")

# systemd's words: quotes anywhere, and backslash escapes.
WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+""", re.DOTALL)
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# Commands that run beside dockerd, from files that no package has written. No package has commands for the end.
COMMANDS = ("ExecCondition", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost")
STOPPING = ("ExecStop", "ExecStopPost")
PACKAGES = ("/usr/lib/systemd/", "/lib/systemd/")
# Programs that end no process and overwrite no file. A flush of iptables would cut off published ports.
HARMLESS_COMMAND = re.compile(
    r"[-@:+!|]*(/\S*/)?"
    r"(chgrp|chmod|chown|echo|logger|mkdir|modprobe|sleep|sysctl|touch|true|ip6?tables(?!.* (-[FX]|--flush|--delete)))"
    r"( .*)?"
)
# Settings that reboot the host, or forbid to restart the engine (systemd.unit(5)), with their harmless values.
ACTIONS = ("StartLimitAction", "FailureAction", "SuccessAction")
REFUSALS = ("RefuseManualStart", "RefuseManualStop")
HARMLESS = {"none", "no", "false", "off", "0"}

# dockerd's one-letter flags (`dockerd --help`).
SHORT = {
    "H": "host", "l": "log-level", "G": "group", "s": "storage-driver", "b": "bridge", "g": "data-root", "p": "pidfile",
    "D": "debug", "v": "version",
}  # fmt: skip
# Flags whose value is optional, after "=".
SWITCHES = {
    "debug", "version", "tls", "tlsverify", "live-restore", "experimental", "icc", "init", "ip-forward",
    "ip-forward-no-drop", "ip-masq", "ip6tables", "iptables", "ipv6", "no-new-privileges", "raw-logs", "rootless",
    "selinux-enabled", "userland-proxy", "validate", "help", "bridge-accept-fwmark", "cri-containerd",
    "allow-direct-routing",
}  # fmt: skip


class Setting(NamedTuple):
    key: str
    value: str
    path: str

    def __str__(self) -> str:
        return f"{self.key}={self.value} ({self.path})"


class DockerdFlag(NamedTuple):
    """A dockerd flag; `words` are as written."""

    name: str
    value: str
    words: tuple[str, ...]


def unit_files(cat: str, *, ours: bool = False) -> list[tuple[str, str]]:
    """Split `systemctl cat` into (path, text), in systemd's order."""
    found: list[tuple[str, list[str]]] = []
    for line in cat.split("\n"):
        if re.fullmatch(r"# /\S+", line):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [(path, "\n".join(lines)) for path, lines in found if ours or not is_our_drop_in(path)]


def is_our_drop_in(path: str) -> bool:
    # The directory may differ: systemd resolves links.
    return bool(OUR_DROP_IN.fullmatch(file_name(path)))


def file_name(path: str) -> str:
    return path.rpartition("/")[2]


def unit_settings(cat: str, key: str, *, section: str = "[Service]", ours: bool = False) -> list[str]:
    """Return a setting's values; an empty value resets the list."""
    return [setting.value for setting in settings_of(cat, key, section, ours=ours)]


def settings_of(cat: str, key: str, section: str, *, ours: bool = False) -> list[Setting]:
    found: list[Setting] = []
    for path, text in unit_files(cat, ours=ours):
        current = ""
        for line in logical_lines(text):
            if line.startswith("["):
                current = line.strip()
            name, equals, value = line.partition("=")
            if current == section and equals and name.strip() == key:
                found = [*found, Setting(key, value.strip(), path)] if value.strip() else []
    return found


def owners_commands(cat: str) -> list[Setting]:
    """Return what an engine's restart does besides, because the host's owner has added it, unless it is harmless."""
    commands = [setting for key in COMMANDS for setting in settings_of(cat, key, "[Service]")]
    actions = [setting for key in ACTIONS for setting in last_of(cat, key)]
    commands = [each for each in commands if not HARMLESS_COMMAND.fullmatch(each.value)]
    return [each for each in commands if each.key in STOPPING or not each.path.startswith(PACKAGES)] + actions


def refusals(cat: str) -> list[Setting]:
    """Return the settings that forbid `systemctl restart`."""
    return [setting for key in REFUSALS for setting in last_of(cat, key)]


def last_of(cat: str, key: str) -> list[Setting]:
    """Return the setting, which is no list, unless it does nothing. Old versions of systemd know it in [Service]."""
    found = settings_of(cat, key, "[Unit]")[-1:] or settings_of(cat, key, "[Service]")[-1:]
    return [setting for setting in found if setting.value.lower() not in HARMLESS]


def logical_lines(text: str) -> list[str]:
    """Drop comments, join continued lines (systemd.syntax(7))."""
    lines: list[str] = []
    open_line = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("#", ";")):
            continue
        if open_line:
            lines[-1] += " " + line
        else:
            lines.append(line.strip())
        open_line = lines[-1].endswith("\\")
        lines[-1] = lines[-1].removesuffix("\\")
    return lines


def command_line(cat: str, *, ours: bool = False) -> list[str]:
    """Return dockerd's command line as words with quotes. Raises MachineError."""
    commands = unit_settings(cat, "ExecStart", ours=ours)
    if len(commands) != 1:
        raise MachineError(
            f"docker.service has {len(commands) or 'no'} ExecStart: it is not clear how it starts dockerd",
            Hint("Look at it on the host", "systemctl cat docker.service"),
        )
    words = WORD.findall(commands[0])
    if dockerd_index(words) == len(words):
        raise MachineError(
            f"docker.service does not start dockerd but {commands[0]}",
            Hint("Look at it on the host", "systemctl cat docker.service"),
        )
    return words


def dockerd_index(words: list[str]) -> int:
    return next((index for index, word in enumerate(words) if unquote(word).endswith("dockerd")), len(words))


def unquote(word: str) -> str:
    """Remove quotes and backslashes; halve `%%` and `$$`."""
    text = re.sub(
        r"""\\(.)|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'""",
        lambda found: found[1] or re.sub(r"\\(.)", r"\1", found[2] or found[3] or ""),
        word,
    )
    return text.replace("%%", "%").replace("$$", "$")


def quote_for_systemd(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[^\s\"'\\;]+", escaped) else f'"{escaped}"'


def unit_variables(cat: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return variables from Environment= and then its files."""
    found = {}
    for line in unit_settings(cat, "Environment"):
        for word in WORD.findall(line):
            name, equals, value = unquote(word).partition("=")
            if equals:
                found[name] = value
    for text in files.values():
        for line in text.split("\n"):
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith("#"):
                found[name] = unquote(value.strip())
    return found


def with_variables_expanded(words: list[str], environment: Mapping[str, str], names: AbstractSet[str]) -> list[str]:
    """Expand only variables that hold flags of `names`; the owner can still change others."""
    result: list[str] = []
    for word in words:
        variable = VARIABLE.fullmatch(word)
        value = environment.get(variable[1] or variable[2], "") if variable else ""
        held = parse_flags(WORD.findall(value))
        if any(flag.name in names for flag in held):
            result += [quote_for_systemd(unquote(each)) for each in WORD.findall(value)]
        else:
            result.append(word)
    return result


def parse_flags(words: list[str]) -> list[DockerdFlag]:
    found = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        plain = unquote(word)
        name, equals, value = plain.lstrip("-").partition("=")
        if not plain.startswith("-") or not name:
            continue
        used = [word]
        if not plain.startswith("--"):
            letter, attached = name[0], name[1:]
            value = (attached + equals + value).removeprefix("=")
            name = SHORT.get(letter, letter)
            equals = "=" if value else ""
        if name == "graph":
            name = "data-root"
        if not equals and name not in SWITCHES and rest and not VARIABLE.fullmatch(rest[0]):
            used.append(rest.pop(0))
            value = unquote(used[1])
        found.append(DockerdFlag(name, value or ("true" if name in SWITCHES else ""), tuple(used)))
    return found


def all_flags(cat: str, files: Mapping[str, str], *, ours: bool = False) -> list[DockerdFlag]:
    """Return dockerd's flags, also from variables."""
    environment = unit_variables(cat, files)
    words: list[str] = []
    for word in command_line(cat, ours=ours):
        variable = VARIABLE.fullmatch(word)
        words += WORD.findall(environment.get(variable[1] or variable[2], "")) if variable else [word]
    return parse_flags(words[dockerd_index(words) + 1 :])


def is_by_docker_machine(facts: Facts) -> bool:
    """Return whether docker-machine set the host up.

    v0.16.2, libmachine/provision: systemd.go writes the unit or 10-machine.conf, utils.go certificates in /etc/docker.
    """
    try:
        flags = all_flags(facts.unit, facts.environment, ours=True) if facts.unit else []
    except MachineError:
        return False
    # It labels every engine with its driver.
    return ("tlscacert", "/etc/docker/ca.pem") in {(flag.name, flag.value) for flag in flags} and any(
        flag.name == "label" and flag.value.startswith("provider=") for flag in flags
    )


def without_flags(words: list[str], names: AbstractSet[str]) -> list[str]:
    begin = dockerd_index(words) + 1
    rest = words[begin:]
    for flag in parse_flags(rest):
        if flag.name in names:
            size = len(flag.words)
            start = next(index for index in range(len(rest)) if tuple(rest[index : index + size]) == flag.words)
            del rest[start : start + size]
    return [*words[:begin], *rest]


def drop_in(words: list[str] | None, *, environment: bool) -> bytes:
    """Return our drop-in; None keeps the unit's command line."""
    lines = ["[Service]"]
    if environment:
        lines.append(f"EnvironmentFile={ENVIRONMENT_FILE}")
    if words is not None:
        lines += ["ExecStart=", f"ExecStart={' '.join(words)}"]
    return (HEADER + "\n".join(lines) + "\n").encode()


def drop_in_path(drop_ins: Iterable[str]) -> str:
    """Return a path that sorts last."""
    names = [file_name(path) for path in others_drop_ins(drop_ins)]
    name = "zz-machinectl.conf"
    while any(other >= name for other in names):
        name = "z" + name
        if len(name) > 64:  # noqa: PLR2004 - another name sorts after any number of z
            return f"{DROP_INS}/zz-machinectl.conf"
    return f"{DROP_INS}/{name}"


def others_drop_ins(drop_ins: Iterable[str]) -> list[str]:
    """Return the drop-ins that are not ours, the last one to be read at the end."""
    return sorted((path for path in drop_ins if not is_our_drop_in(path)), key=file_name)


def environment_file(variables: Mapping[str, str]) -> bytes:
    """Format an EnvironmentFile= (systemd.exec(5))."""
    escaped = {name: re.sub(r'(["\\$`])', r"\\\1", value) for name, value in variables.items()}
    return "".join(f'{name}="{value}"\n' for name, value in escaped.items()).encode()
