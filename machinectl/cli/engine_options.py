"""What `create` is told of an engine that is to be set up: docker-machine's flags, ours, and those of its Swarm."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.verbs import keyword, python_word
from machinectl.errors import UsageError

if TYPE_CHECKING:
    import inspect

# By their keys in a machine's record: may be given many times.
LISTS = {
    "options": ("--engine-opt", "FLAG=VALUE", "A flag of dockerd."),
    "insecure_registries": ("--engine-insecure-registry", "REGISTRY", "A registry without TLS."),
    "registry_mirrors": ("--engine-registry-mirror", "URL", "A registry mirror."),
    "env": ("--engine-env", "NAME=VALUE", "A variable of the engine's environment; proxies are for installing, too."),
    "tls_sans": ("--tls-san", "NAME|ADDRESS", "One more name in the server's certificate."),
}
TEXTS = {
    "install": ("--engine-install", "WAY", "auto (the default), docker (its script), distro (the package) or none."),
    "install_url": ("--engine-install-url", "URL", "Docker's script, for --engine-install docker."),
    "version": ("--engine-version", "VERSION", "The version to install."),
    "storage_driver": ("--engine-storage-driver", "NAME", "The engine's storage driver."),
    "bind": ("--engine-bind", "ADDRESS", "The address that the engine listens on (default: all)."),
    "os": ("--os", "ID", "What the host's system is like, where it is not recognised: debian, fedora …"),
}
VARIABLES = {"install_url": "MACHINE_DOCKER_INSTALL_URL", "registry_mirrors": "ENGINE_REGISTRY_MIRROR"}

SWARM_FLAGS = ("--swarm", "--swarm-master", "--swarm-experimental")
SWARM_OPTIONS = (
    "--swarm-addr",
    "--swarm-discovery",
    "--swarm-host",
    "--swarm-image",
    "--swarm-strategy",
    "--swarm-opt",
    "--swarm-join-opt",
)
TAKE_VALUES = frozenset(flag for flag, *_ in [*LISTS.values(), *TEXTS.values()]) | frozenset(SWARM_OPTIONS)


def parameters() -> list[inspect.Parameter]:
    """The options, as Typer takes them."""
    return [
        *(
            keyword(python_word(flag), Annotated[list[str] | None, option(key, LISTS)], None)
            for key, (flag, *_) in LISTS.items()
        ),
        *(keyword(python_word(flag), Annotated[str, option(key, TEXTS)], "") for key, (flag, *_) in TEXTS.items()),
        *(keyword(python_word(flag), Annotated[bool, typer.Option(flag, hidden=True)], False) for flag in SWARM_FLAGS),
        *(
            keyword(python_word(flag), Annotated[list[str] | None, typer.Option(flag, hidden=True)], None)
            for flag in SWARM_OPTIONS
        ),
    ]


def option(key: str, kind: dict[str, tuple[str, str, str]]) -> Any:
    flag, metavar, text = kind[key]
    return typer.Option(flag, metavar=metavar, help=text, envvar=VARIABLES.get(key))


def taken(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, by their keys in the record. Raises UsageError for a --engine-bind of no address."""
    check_bind(given[python_word("--engine-bind")])
    lists = {key: list(given[python_word(flag)] or ()) for key, (flag, *_) in LISTS.items()}
    texts = {key: given[python_word(flag)] for key, (flag, *_) in TEXTS.items()}
    return {key: value for key, value in {**lists, **texts}.items() if value}


def check_bind(address: str) -> None:
    """Refuse what is no address: dockerd would find that out in its restart."""
    if not address:
        return
    try:
        ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError as exc:
        raise UsageError(
            f"--engine-bind {address!r} is not an address", "Give one of the host's, as 192.168.0.29 or fd00::1d"
        ) from exc


def asks_for_swarm(given: dict[str, Any]) -> bool:
    """Whether flags of docker-machine's Swarm were given, a product that is gone: taken, so that scripts run."""
    return any(given[python_word(flag)] for flag in (*SWARM_FLAGS, *SWARM_OPTIONS))
