"""Options of `create` that fleet files and records share. Light path."""

from __future__ import annotations

from machinectl.machines.flags import DIRECTORY, FILE, IN_CERTIFICATES, IN_ENGINE, IN_SSH, MACHINE, Flag

LABEL = Flag(
    "--label", "--engine-label", many=True, metavar="KEY=VALUE", help="A label of the machine and of its engine."
)
NO_TLS = Flag("--no-tls", help="Speak to the engine without TLS.", section=IN_CERTIFICATES)
NO_PROVISION = Flag("--no-provision", help="Register the host as it is, and change nothing on it.")
NO_CONTEXT = Flag("--no-context", help="Make no docker context of the machine.")
JUMP = Flag(
    "--ssh-jump",
    metavar="NAME|[USER@]HOST[:PORT]",
    help="Jump host for its SSH: a machine, else a host as in ssh -J. machine:NAME and host:HOST say which of the two.",
    value=MACHINE,
    section=IN_SSH,
)

CERTIFICATES = (
    Flag(
        "--tls-dir",
        metavar="DIR",
        help="Certificates to use, ca.pem, cert.pem and key.pem in DIR.",
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
STRICT = Flag("--ssh-strict", help="Refuse a host whose SSH key is not known.", section=IN_SSH)

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
        help="A variable of the engine's environment; proxies are for installing, too.",
        section=IN_ENGINE,
    ),
    Flag(
        "--tls-san",
        key="tls_sans",
        many=True,
        metavar="NAME|ADDRESS",
        help="One more name in the server's certificate.",
        section=IN_ENGINE,
    ),
    Flag(
        "--engine-install",
        key="install",
        metavar="WAY",
        help="auto (the default), docker (its script), distro (the package) or none.",
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
        help="What the host's system is like, where it is not recognised: debian, fedora …",
        section=IN_ENGINE,
    ),
)
ENV_FILE = Flag(
    "--engine-env-file",
    many=True,
    metavar="FILE",
    help="A file of such variables, as docker's --env-file: for a proxy's password.",
    value=FILE,
    secret=True,
    section=IN_ENGINE,
)

# Drivers without hosts to log in to: host options do not apply.
WITHOUT_HOST = frozenset({"none"})
