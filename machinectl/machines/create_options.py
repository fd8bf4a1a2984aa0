"""Options of `create` that fleet files and records share. Light path."""

from __future__ import annotations

from machinectl.machines.flags import DIRECTORY, FILE, IN_CERTIFICATES, IN_ENGINE, IN_SSH, MACHINE, Flag

LABEL = Flag(
    "--label", "--engine-label", many=True, metavar="KEY=VALUE", help="A label of the machine and of its engine."
)
NO_TLS = Flag("--no-tls", help="Speak to the engine without TLS.", section=IN_CERTIFICATES)
NO_PROVISION = Flag("--no-provision", help="Register the host only; change nothing on it.")
NO_CONTEXT = Flag("--no-context", help="Create no docker context for the machine.")
JUMP = Flag(
    "--ssh-jump",
    metavar="NAME|[USER@]HOST[:PORT]",
    help="Jump host for SSH: a machine, else a host as in ssh -J. Use machine:NAME or host:HOST to say which.",
    value=MACHINE,
    section=IN_SSH,
)

CERTIFICATES = (
    Flag(
        "--tls-dir",
        metavar="DIR",
        help="Use the certificates in DIR: ca.pem, cert.pem and key.pem.",
        value=DIRECTORY,
        section=IN_CERTIFICATES,
    ),
    Flag(
        "--tls-ca-cert", metavar="FILE", help="The CA of the engine's certificate.", value=FILE, section=IN_CERTIFICATES
    ),
    Flag("--tls-client-cert", metavar="FILE", help="The client's certificate.", value=FILE, section=IN_CERTIFICATES),
    Flag("--tls-client-key", metavar="FILE", help="The client's key.", value=FILE, section=IN_CERTIFICATES),
)

PASSPHRASE_FILE = Flag(
    "--ssh-passphrase-file",
    metavar="FILE",
    help="A file with the passphrase of the SSH key.",
    value=FILE,
    secret=True,
    section=IN_SSH,
)
PASSWORD_FILE = Flag(
    "--ssh-password-file",
    metavar="FILE",
    help="A file with the password to log in with",
    value=FILE,
    secret=True,
    variable="MACHINECTL_SSH_PASSWORD",
    section=IN_SSH,
)
SUDO_PASSWORD_FILE = Flag(
    "--sudo-password-file",
    metavar="FILE",
    help="A file with the password for sudo",
    value=FILE,
    secret=True,
    variable="MACHINECTL_SUDO_PASSWORD",
    section=IN_SSH,
)
LOGIN_SECRETS = (PASSPHRASE_FILE, PASSWORD_FILE, SUDO_PASSWORD_FILE)
HOST_KEY = Flag(
    "--ssh-host-key", metavar="SHA256:…", help="The fingerprint that the host's SSH key must have.", section=IN_SSH
)
STRICT = Flag("--ssh-strict", help="Refuse a host with an unknown SSH key.", section=IN_SSH)

ENGINE_INSTALL_WAYS = ("auto", "docker", "distro", "none")
ENGINE_FLAGS = (
    Flag("--engine-opt", key="options", many=True, metavar="FLAG=VALUE", help="A flag of dockerd.", section=IN_ENGINE),
    Flag(
        "--engine-insecure-registry",
        key="insecure_registries",
        many=True,
        metavar="REGISTRY",
        help="A registry without TLS.",
        section=IN_ENGINE,
    ),
    Flag(
        "--engine-registry-mirror",
        key="registry_mirrors",
        many=True,
        metavar="URL",
        help="A registry mirror.",
        variable="ENGINE_REGISTRY_MIRROR",
        section=IN_ENGINE,
    ),
    Flag(
        "--engine-env",
        key="env",
        many=True,
        metavar="NAME=VALUE",
        help="A variable for the engine's environment; the installation uses proxies, too.",
        section=IN_ENGINE,
    ),
    Flag(
        "--tls-san",
        key="tls_sans",
        many=True,
        metavar="NAME|ADDRESS",
        help="An additional name in the server certificate.",
        section=IN_ENGINE,
    ),
    Flag(
        "--engine-install",
        key="install",
        metavar="WAY",
        help="auto (default), docker (Docker's script), distro (the package) or none.",
        value=ENGINE_INSTALL_WAYS,
        section=IN_ENGINE,
    ),
    Flag(
        "--engine-install-url",
        key="install_url",
        metavar="URL",
        help="Docker's script, for --engine-install docker.",
        variable="MACHINE_DOCKER_INSTALL_URL",
        section=IN_ENGINE,
    ),
    Flag("--engine-version", key="version", metavar="VERSION", help="The version to install.", section=IN_ENGINE),
    Flag(
        "--engine-storage-driver",
        key="storage_driver",
        metavar="NAME",
        help="The engine's storage driver.",
        section=IN_ENGINE,
    ),
    Flag(
        "--engine-bind",
        key="bind",
        metavar="ADDRESS",
        help="The address that the engine listens on (default: all).",
        section=IN_ENGINE,
    ),
    Flag(
        "--os",
        key="os",
        metavar="ID",
        help="Treat an unknown system as this one: debian, fedora …",
        section=IN_ENGINE,
    ),
)
ENV_FILE = Flag(
    "--engine-env-file",
    many=True,
    metavar="FILE",
    help="A file of such variables, as in docker's --env-file; use it for passwords.",
    value=FILE,
    secret=True,
    section=IN_ENGINE,
)

# Drivers without hosts to log in to: host options do not apply.
WITHOUT_HOST = frozenset({"none"})
