"""Merge our keys into daemon.json and remove them again.

Keys: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from machinectl.errors import CheckFailed, Hint, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.provision.facts.host_facts import Facts

# Repeatable flags, and their keys in daemon.json.
LISTS = {
    "add-runtime": "runtimes",
    "allow-nondistributable-artifacts": "allow-nondistributable-artifacts",
    "authorization-plugin": "authorization-plugins",
    "cdi-spec-dir": "cdi-spec-dirs",
    "default-address-pool": "default-address-pools",
    "dns": "dns",
    "dns-opt": "dns-opts",
    "dns-search": "dns-search",
    "exec-opt": "exec-opts",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
MAPS = {"default-ulimit": "default-ulimits", "log-opt": "log-opts", "feature": "features"}
# dockerd wants strings here, even for numbers.
TEXTS = {"default-shm-size", "group", "userns-remap", "containerd-namespace", "bip", "fixed-cidr", "cgroup-parent"}
# Flags whose value is a structure.
STRUCTURES = {"add-runtime", "default-address-pool", "default-ulimit"}

TLS_FLAGS = frozenset({"tls", "tlsverify", "tlscacert", "tlscert", "tlskey"})


def read_config(facts: Facts) -> dict[str, Any]:
    return parse_config(facts.config_content, facts.config_path)


def parse_config(text: bytes | None, path: str) -> dict[str, Any]:
    """Parse daemon.json; {} if missing or empty. Raises CheckFailed."""
    see = Hint("Fix it on the host, then check it as root", "dockerd --validate --config-file", path)
    try:
        value = json.loads((text or b"").decode("utf-8-sig").strip() or "{}")
    except (ValueError, RecursionError) as exc:
        raise CheckFailed(f"{path} on the host is not JSON: {exc}", see) from exc
    if not isinstance(value, dict):
        raise CheckFailed(f"{path} on the host is not a JSON object", see)
    return value


def dump(config: Mapping[str, Any], like: bytes | None) -> bytes:
    indent = re.search(rb"\n([ \t]+)\"", like or b"")
    text = json.dumps(config, indent=indent[1].decode() if indent else 4, ensure_ascii=False) + "\n"
    # Lone surrogates stay escaped.
    return text.encode(errors="backslashreplace")


def without_tls(config: Mapping[str, Any]) -> bytes:
    """Return daemon.json for a check by dockerd that reads no certificate."""
    # Since version 27, dockerd refuses TCP without TLS unless `tls` is false.
    return dump({**{key: value for key, value in config.items() if key not in TLS_FLAGS}, "tls": False}, None)


def put_back(now: Mapping[str, Any], before: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Restore the keys of `ours` from `before`, except those changed since."""
    result = dict(now)
    for key, value in ours.items():
        if key not in now or now[key] != value:
            continue
        if key in before:
            result[key] = before[key]
        else:
            del result[key]
    return result


def ordered(config: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: config[key] for key in like if key in config}, **config}


def listed(config: Mapping[str, Any], key: str) -> list[Any]:
    """Return a list of daemon.json; [] if it is missing or not a list."""
    value = config.get(key)
    return value if isinstance(value, list) else []


def extended(there: Any, more: Sequence[str]) -> list[Any]:
    values = list(there) if isinstance(there, list) else []
    return [*values, *(each for each in dict.fromkeys(more) if each not in values)]


def labelled(there: Any, labels: Mapping[str, str]) -> list[Any]:
    """Merge labels; ours win: dockerd refuses duplicate keys."""
    left = dict(labels)
    found: list[Any] = []
    for each in there if isinstance(there, list) else ():
        key = str(each).partition("=")[0]
        if key not in labels:
            found.append(each)
        elif key in left:
            found.append(f"{key}={left.pop(key)}")
    return [*found, *(f"{key}={value}" for key, value in left.items())]


def config_key(flag: str) -> str:
    return LISTS.get(flag) or MAPS.get(flag) or flag


def option_keys(given: Sequence[str], before: Mapping[str, Any]) -> dict[str, Any]:
    """Convert `--engine-opt flag=value` to keys. Raises UsageError."""
    found: dict[str, Any] = {}
    for option in given:
        flag, equals, value = option.lstrip("-").partition("=")
        is_ours = flag in {"host", "hosts", "H"} or flag.startswith("tls")
        if is_ours or not flag or flag in STRUCTURES:
            raise UsageError(
                f"--engine-opt {option!r} cannot be used: "
                + ("machinectl sets it" if is_ours else "its value is a structure"),
                Hint("Leave it out; for another address, use --engine-bind")
                if is_ours
                else Hint("Set it in the host's daemon.json"),
            )
        key = config_key(flag)
        if flag in LISTS:
            found[key] = extended(found.get(key, before.get(key)), [value])
        elif flag in MAPS:
            name, _, text = value.partition("=")
            there = found.get(key, before.get(key))
            found[key] = {
                **(there if isinstance(there, dict) else {}),
                name: typed_value(text) if flag == "feature" else text,
            }
        else:
            found[key] = (value if flag in TEXTS else typed_value(value)) if equals else True
    return found


def typed_value(text: str) -> str | int | bool:
    """Convert to bool or int: dockerd refuses quoted numbers."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else text
