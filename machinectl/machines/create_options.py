"""Options of `create` that fleet files and records share. Light path."""

from __future__ import annotations

from machinectl.machines.flags import DIRECTORY, FILE, IN_CERTIFICATES, IN_ENGINE, IN_SSH, MACHINE, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def engine_flag(flag: str, key: str, metavar: str, help: str, **more: Any) -> Flag:  # noqa: A002 (as in Flag)
    return Flag(flag, key=key, metavar=metavar, help=help, section=IN_ENGINE, **more)


def secret_file(flag: str, what: str, variable: str = "") -> Flag:
    return Flag(
        flag,
        metavar="FILE",
        help=f"A file with the {what}.",
        value=FILE,
        secret=True,
        variable=variable,
        section=IN_SSH,
    )


def certificate_path(flag: str, metavar: str, help: str, value: str = FILE) -> Flag:  # noqa: A002 (as in Flag)
    return Flag(flag, metavar=metavar, help=help, value=value, section=IN_CERTIFICATES)


LABEL = Flag(
    "--label", "--engine-label", many=True, metavar="KEY=VALUE", help="A label of the machine and of its engine."
)
NO_TLS = Flag("--no-tls", help="Speak to the engine without TLS.", section=IN_CERTIFICATES)
NO_PROVISION = Flag("--no-provision", help="Register the host only; change nothing on it.")
NO_CONTEXT = Flag("--no-context", help="Create no docker context for the machine.")
JUMP = Flag(
    "--ssh-jump",
    metavar="HOST",
    help="The jump host: a machine, or [USER@]HOST[:PORT] as for ssh -J; machine:NAME or host:HOST says which it is.",
    value=MACHINE,
    section=IN_SSH,
)
ADDRESS = Flag(
    "--address",
    metavar="ADDRESS",
    key="addresses",
    help="A further address or name of the host, as in a VPN; the first that answers is used.",
    many=True,
)
ACCESS_LIFETIME = Flag(
    "--access-lifetime",
    key="lifetime",
    metavar="TIME",
    help="How long certificates of `access` are valid: 12h, 7d, 2w (default: 7d for people, 30d for tools).",
)
CERTIFICATES = (
    certificate_path("--tls-dir", "DIR", "Use the certificates in DIR: ca.pem, cert.pem and key.pem.", DIRECTORY),
    certificate_path("--tls-ca-cert", "FILE", "The CA of the engine's certificate."),
    certificate_path("--tls-client-cert", "FILE", "The client's certificate."),
    certificate_path("--tls-client-key", "FILE", "The client's key."),
)

PASSPHRASE_FILE = secret_file("--ssh-passphrase-file", "passphrase of the SSH key")
PASSWORD_FILE = secret_file("--ssh-password-file", "password to log in with", "MACHINECTL_SSH_PASSWORD")
SUDO_PASSWORD_FILE = secret_file("--sudo-password-file", "password for sudo", "MACHINECTL_SUDO_PASSWORD")
LOGIN_SECRETS = (PASSPHRASE_FILE, PASSWORD_FILE, SUDO_PASSWORD_FILE)
HOST_KEY = Flag(
    "--ssh-host-key", metavar="SHA256:…", help="The fingerprint that the host's SSH key must have.", section=IN_SSH
)
STRICT = Flag("--ssh-strict", help="Refuse a host with an unknown SSH key.", section=IN_SSH)

ENGINE_INSTALL_WAYS = ("auto", "docker", "distro", "none")
ENGINE_FLAGS = (
    engine_flag("--engine-opt", "options", "FLAG=VALUE", "A flag of dockerd, such as log-level=warn.", many=True),
    engine_flag("--engine-insecure-registry", "insecure_registries", "REGISTRY", "A registry without TLS.", many=True),
    engine_flag(
        "--engine-registry-mirror",
        "registry_mirrors",
        "URL",
        "A registry mirror.",
        many=True,
        variable="ENGINE_REGISTRY_MIRROR",
    ),
    engine_flag(
        "--engine-env",
        "env",
        "NAME=VALUE",
        "A variable of the engine's environment; proxies also serve the installation.",
        many=True,
    ),
    engine_flag("--tls-san", "tls_sans", "NAME|ADDRESS", "An additional name in the server certificate.", many=True),
    engine_flag(
        "--engine-install",
        "install",
        "WAY",
        "How to install the engine: auto (default), docker (Docker's script), distro (its package) or none.",
        value=ENGINE_INSTALL_WAYS,
    ),
    engine_flag(
        "--engine-install-url",
        "install_url",
        "URL",
        "The script of --engine-install docker.",
        variable="MACHINE_DOCKER_INSTALL_URL",
    ),
    engine_flag("--engine-version", "version", "VERSION", "The engine's version to install."),
    engine_flag("--engine-storage-driver", "storage_driver", "NAME", "The engine's storage driver."),
    engine_flag("--engine-bind", "bind", "ADDRESS", "The address that the engine listens on (default: all)."),
    engine_flag(
        "--ssh-only",
        "ssh_only",
        "",
        "Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.",
        off="--no-ssh-only",
    ),
    engine_flag("--os", "os", "ID", "Treat an unknown system as this one, such as debian or fedora."),
)
ENV_FILE = engine_flag(
    "--engine-env-file",
    "",
    "FILE",
    "A file of variables for the engine, as for docker's --env-file; use it for passwords.",
    many=True,
    value=FILE,
    secret=True,
)

# Drivers without hosts to log in to: host options do not apply.
WITHOUT_HOST = frozenset({"none"})
# Of docker-machine, for the swarm that it had before Docker Swarm.
OLD_SWARM = (
    *(Flag(f"--{name}", hidden=True) for name in ("swarm", "swarm-master", "swarm-experimental")),
    *(
        Flag(f"--swarm-{name}", metavar="TEXT", many=True, hidden=True)
        for name in ("addr", "discovery", "host", "image", "strategy", "opt", "join-opt")
    ),
)
