"""docker-machine's store and what it makes of a host, as docker-machine v0.16.2 writes them, made in its file formats.

libmachine/host/host.go, migrate_v1_v3_test.go (an older record), drivers/generic, drivers/none, libmachine/cert/cert.go
(the certificates: RSA 2048, 1080 days, no key identifiers), libmachine/provision/systemd.go (the drop-in).
"""

from __future__ import annotations

import ipaddress
import json
import shutil
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machinectl.certs import Pair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DAYS = 1080
# The home of whoever made a store that was copied since.
ELSEWHERE = "/Users/catbug/.docker/machine"
DROP_IN = (
    "[Service]\nExecStart=\nExecStart={dockerd} -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock "
    "--storage-driver {storage} --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem "
    "--tlskey /etc/docker/server-key.pem {flags}\nEnvironment={env}\n"
)


def drop_in(driver: str, storage: str, engine: Mapping[str, Any], dockerd: str = "/usr/bin/dockerd") -> str:
    """The drop-in for the engine options of a record."""
    flags = [f"--label {label} " for label in (*engine.get("Labels", ()), f"provider={driver}")]
    flags += [f"--insecure-registry {registry} " for registry in engine.get("InsecureRegistry", ())]
    flags += [f"--registry-mirror {mirror} " for mirror in engine.get("RegistryMirror", ())]
    flags += [f"--{flag} " for flag in engine.get("ArbitraryFlags", ())]
    # Its quotes are taken off by the shell that it is sent through.
    env = "".join(f"{variable} " for variable in engine.get("Env", ()))
    return DROP_IN.format(dockerd=dockerd, storage=storage, flags="".join(flags), env=env)


@cache
def rsa_key(_: str) -> rsa.RSAPrivateKey:
    """Return the key of whoever has this name: it takes long to make one."""
    return rsa.generate_private_key(65537, 2048)


# No two CAs of a test share a key: a certificate of one would be the other's. Tests that follow each other do.
CAS = cycle(f"CA {number}" for number in range(8))


def pair(name: str, issuer: tuple[x509.Name, rsa.RSAPrivateKey] | None, *extensions: Any, ago: int = 1) -> Pair:
    """A certificate as libmachine/cert/cert.go makes one, `ago` days old."""
    key = rsa_key(name if issuer else next(CAS))
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
    begin = datetime.now(UTC) - timedelta(days=ago)
    signer, signing = issuer or (subject, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=DAYS))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    certificate = builder.sign(signing, hashes.SHA256())
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ),
    )


def signer(ca: Pair) -> tuple[x509.Name, rsa.RSAPrivateKey]:
    # It is one of ours: to test whether its factors are prime takes as long as to make it.
    key = serialization.load_pem_private_key(ca.key, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return x509.load_pem_x509_certificate(ca.certificate).subject, key


class OldStore:
    """A docker-machine store at a path, with its CA and client in `certs/`; `ago` is how many days old they are."""

    def __init__(self, root: Path, *, ago: int = 1) -> None:
        self.root = root
        self.ago = ago
        self._servers: dict[str, Pair] = {}
        self.ca = pair("catbug", None, x509.BasicConstraints(ca=True, path_length=None), ago=ago)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        self.client = pair("catbug.<bootstrap>", signer(self.ca), usage, ago=ago)
        (root / "certs").mkdir(parents=True)
        self.write("certs/ca-key.pem", self.ca.key, 0o600)
        self._write_client("certs")

    def copied(self, root: Path) -> OldStore:
        """The same store in another place, as somebody copies it."""
        shutil.copytree(self.root, root, symlinks=True)
        other = copy(self)
        other.root = root
        return other

    def write(self, path: str, data: bytes, mode: int = 0o600) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(mode)
        return file

    def _write_client(self, directory: str) -> None:
        for name, data, mode in (
            ("ca.pem", self.ca.certificate, 0o644),
            ("cert.pem", self.client.certificate, 0o644),
            ("key.pem", self.client.key, 0o600),
        ):
            self.write(f"{directory}/{name}", data, mode)

    def server(self, *hosts: str) -> Pair:
        """The certificate of an engine, for addresses and names."""
        sans = [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts if host[:1].isdecimal()]
        names = [x509.DNSName(host) for host in (*hosts, "localhost") if not host[:1].isdecimal()]
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        own = x509.SubjectAlternativeName([*sans, *names])
        return pair("catbug.orion", signer(self.ca), usage, own, ago=self.ago)

    def add(self, name: str, driver: str, state: dict[str, Any], *, version: int = 3, **engine: Any) -> Path:
        """A record alone, as driver none has it; a machine's directory."""
        record = RECORDS[version](name, driver, state, engine)
        self.write(f"machines/{name}/config.json", json.dumps(record, indent=4).encode())
        directory = self.root / "machines" / name
        directory.chmod(0o700)
        return directory

    def add_host(
        self, name: str, key: bytes, address: str = "192.0.2.7", *, driver: str = "generic", **more: Any
    ) -> Path:
        """A host that was set up over SSH: its record, its certificates and its key."""
        version = more.pop("version", 3)
        state = {"IPAddress": address, "SSHUser": "ops", "SSHPort": 22, "EnginePort": 2376} | more.pop("state", {})
        directory = self.add(name, driver, state, version=version, **more)
        self._write_client(f"machines/{name}")
        # To make a key takes its time.
        server = self._servers[address] = self._servers.get(address) or self.server(address)
        self.write(f"machines/{name}/server.pem", server.certificate)
        self.write(f"machines/{name}/server-key.pem", server.key)
        self.write(f"machines/{name}/id_rsa", key)
        return directory

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Each file and directory of it, with its mode, when it was changed, and what is in it."""
        found = {}
        for path in [self.root, *sorted(self.root.rglob("*"))]:
            there = path.lstat()
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (there.st_mode, there.st_mtime_ns, data)
        return found


def engine_options(given: dict[str, Any]) -> dict[str, Any]:
    names = ("ArbitraryFlags", "Env", "InsecureRegistry", "Labels", "RegistryMirror")
    lists: dict[str, Any] = {name: [] for name in names}
    texts = dict.fromkeys(("GraphDir", "LogLevel", "StorageDriver"), "")
    others = {"Dns": None, "Ipv6": False, "SelinuxEnabled": False, "TlsVerify": True}
    return {**lists, **texts, **others, "InstallURL": "https://get.docker.com", **given}


def swarm_options() -> dict[str, Any]:
    flags = dict.fromkeys(("IsSwarm", "Master", "IsExperimental"), False)
    texts = {"Address": "", "Discovery": "", "Host": "tcp://0.0.0.0:3376", "Image": "swarm:latest"}
    return {**flags, **texts, "Strategy": "spread", "Heartbeat": 0, "Overcommit": 0, "ArbitraryFlags": [], "Env": None}


def driver_state(name: str, state: dict[str, Any]) -> dict[str, Any]:
    key = "" if "URL" in state else f"{ELSEWHERE}/machines/{name}/id_rsa"
    texts = dict.fromkeys(("IPAddress", "SSHUser", "SwarmHost", "SwarmDiscovery"), "")
    return {**texts, "MachineName": name, "SSHPort": 0, "SSHKeyPath": key, "SwarmMaster": False, **state}


def version_3(name: str, driver: str, state: dict[str, Any], engine: dict[str, Any]) -> dict[str, Any]:
    sans = engine.pop("ServerCertSANs", [])
    swarm = engine.pop("IsSwarm", False)
    machine = f"{ELSEWHERE}/machines/{name}"
    return {
        "ConfigVersion": 3,
        "Driver": {**driver_state(name, state), "StorePath": ELSEWHERE},
        "DriverName": driver,
        "HostOptions": {
            "Driver": "",
            "Memory": 0,
            "Disk": 0,
            "EngineOptions": engine_options(engine),
            "SwarmOptions": {**swarm_options(), "IsSwarm": swarm},
            "AuthOptions": {
                "CertDir": f"{ELSEWHERE}/certs",
                "CaCertPath": f"{ELSEWHERE}/certs/ca.pem",
                "CaPrivateKeyPath": f"{ELSEWHERE}/certs/ca-key.pem",
                "ServerCertPath": f"{machine}/server.pem",
                "ServerKeyPath": f"{machine}/server-key.pem",
                "ClientKeyPath": f"{ELSEWHERE}/certs/key.pem",
                **dict.fromkeys(("CaCertRemotePath", "ServerCertRemotePath", "ServerKeyRemotePath"), ""),
                "ClientCertPath": f"{ELSEWHERE}/certs/cert.pem",
                "ServerCertSANs": sans,
                "StorePath": machine,
            },
        },
        "Name": name,
    }


def version_2(name: str, driver: str, state: dict[str, Any], engine: dict[str, Any]) -> dict[str, Any]:
    """As 3, before the driver knew its store (migrate_v2_v3.go)."""
    record = version_3(name, driver, state, engine)
    record["ConfigVersion"] = 2
    del record["Driver"]["StorePath"], record["HostOptions"]["SwarmOptions"]["IsExperimental"]
    return record


def version_1(name: str, driver: str, state: dict[str, Any], engine: dict[str, Any]) -> dict[str, Any]:
    """As 2, before its name stood in it, and with the CA's key under another name (migrate_v1_v2.go)."""
    record = version_2(name, driver, state, engine)
    record["ConfigVersion"] = 1
    del record["Name"], record["Driver"]["SSHKeyPath"]
    auth = record["HostOptions"]["AuthOptions"]
    auth["PrivateKeyPath"] = auth.pop("CaPrivateKeyPath")
    auth["StorePath"] = ""
    del auth["CertDir"], auth["ServerCertSANs"]
    record["Driver"] |= {"CaCertPath": auth["CaCertPath"], "PrivateKeyPath": auth["PrivateKeyPath"]}
    return {**record, "StorePath": f"{ELSEWHERE}/machines/{name}"}


RECORDS = {1: version_1, 2: version_2, 3: version_3}
