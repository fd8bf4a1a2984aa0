"""Log in to a host over SSH, and pin its key."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.files.atomic import read_file
from machinectl.files.user_files import read_secret
from machinectl.machines.machine_driver import KNOWN_HOSTS, flag_of_set, known_hosts_path, ssh_endpoint
from machinectl.machines.record import Phase
from machinectl.machines.selection import waiting
from machinectl.machines.store import Store
from machinectl.ssh.keys.credentials import Credentials
from machinectl.value_classes import Frozen, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held
    from machinectl.ssh.session import ScriptRunner, SSHSession
    from machinectl.ssh.ssh_errors import SSHError


# Seconds for each of several addresses but the last.
PATIENCE = 3.0


class Login(Frozen):
    """Login options.

    `host_key` is a SHA256 fingerprint; `strict` refuses unknown keys. Errors about a changed host key suggest `again`.
    `trace` gets commands and output.
    """

    credentials: Credentials = field(default_factory=Credentials)
    host_key: str = ""
    strict: bool = False
    again: str = ""
    trace: Callable[[str], None] | None = field(default=None, compare=False)

    @property
    def needs_login(self) -> bool:
        """Whether it has what programs that call ssh cannot use, such as a password: we log in first."""
        given = self.credentials
        return bool(given.password or given.passphrase or self.host_key or self.strict)

    def for_one_host(self) -> Login:
        """Copy for one host: others must not get a password typed for it."""
        return self.with_files()

    def with_files(
        self,
        *,
        passphrase_file: str = "",
        password_file: str = "",
        sudo_password_file: str = "",
        host_key: str = "",
        strict: bool = False,
    ) -> Login:
        """Add one host's secrets. Raises MachineError if a file has none."""
        own = replace(self.credentials)
        if password_file:
            own.password = read_secret(password_file, "--ssh-password-file")
        if passphrase_file:
            own.passphrase = read_secret(passphrase_file, "--ssh-passphrase-file")
        if sudo_password_file:
            own.sudo_password = read_secret(sudo_password_file, "--sudo-password-file")
        return replace(self, credentials=own, host_key=host_key or self.host_key, strict=strict or self.strict)


def pinned_known_hosts(machine: Machine) -> bytes:
    """Return "" before the first login."""
    path = known_hosts_path(machine)
    try:
        return read_file(path)
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise MachineError(f"Cannot read {path}: {exc.strerror}", Hint("See", "ls -l", path)) from exc


def login_endpoint(machine: Machine, console: Console, login: Login, ssh: SSHEndpoint | None = None) -> SSHEndpoint:
    """Return where to log in: of several addresses, the first that answers. Raises MachineError."""
    ssh = ssh or ssh_endpoint(machine)
    if ssh.jump and ssh.jump.machine:
        # A jump host may have several addresses, too.
        gate = Store(os.path.dirname(os.path.dirname(machine.directory))).read(ssh.jump.machine)
        at = replace(ssh.jump.endpoint, host=ssh_endpoint(gate).host)
        way = login_endpoint(gate, console, Login(login.credentials.for_jump()), at)
        ssh = replace(ssh, jump=replace(ssh.jump, endpoint=way))
    return answering_endpoint(machine, console, login, ssh) if machine.addresses else ssh


def answering_endpoint(machine: Machine, console: Console, login: Login, ssh: SSHEndpoint) -> SSHEndpoint:
    """Return the SSH endpoint at the first address that answers with the machine's key.

    An address that answered a moment ago is not asked: sshd rejects a client that often connects and does not log in
    (PerSourcePenalties). While no key is known, only the machine's own address is used: at another one, any server
    could be pinned. Raises SSHError.
    """
    # paramiko takes 150 ms to load.
    from machinectl.machines.answered_address import MOMENT, SSH, AddressMemory
    from machinectl.ssh.connect import check_host_key
    from machinectl.ssh.keys.host_keys import HostKeyPolicy
    from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError
    from machinectl.ssh.ssh_settings import read_settings

    policy = HostKeyPolicy(pinned_known_hosts(machine), login.host_key, machine=machine.name, again=login.again)
    if not (policy.pinned.strip() or policy.demanded):
        return ssh
    hosts = list(dict.fromkeys([ssh.host, *machine.addresses]))
    memory = AddressMemory(machine.name, machine.directory, SSH)
    if last := next((host for host in hosts if memory.has_answered(host, MOMENT)), ""):
        return replace(ssh, host=last)
    failures: dict[str, SSHError] = {}
    for number, host in enumerate(memory.in_order(hosts), 1):
        endpoint = replace(ssh, host=host)
        try:
            check_host_key(endpoint, login.credentials, policy, console, None if number == len(hosts) else PATIENCE)
        except SSHError as exc:
            failures[host] = exc
            continue
        memory.answered(host)
        for foreign in [foreign for foreign, failure in failures.items() if isinstance(failure, HostKeyRefused)]:
            place = read_settings(replace(ssh, host=foreign)).address
            memory.skipped(place, f"its SSH key is not that of {machine.name}")
        return endpoint
    # Offer to accept a new key only if all addresses show it: at one of them may be another host.
    refused = [failure for failure in failures.values() if isinstance(failure, HostKeyRefused)]
    is_one = len(refused) == len(failures) and len({failure.shown for failure in refused}) == 1
    told = next(iter(refused or failures.values()))
    told.advise(told.advice if is_one else Hint("See its addresses", "machinectl doctor", machine.name))
    told.cause = "; ".join(dict.fromkeys(failure.cause for failure in failures.values()))
    raise told


@contextmanager
def logged_in(
    machine: Machine,
    console: Console,
    login: Login,
    *,
    ssh: SSHEndpoint | None = None,
    timeout: float | None = None,
    quietly: bool = False,
    native: bool = False,
    pin: Callable[[bytes], None] | None = None,
) -> Iterator[SSHSession]:
    """Connect to a host, and `pin` its key if it is new. Without `pin`, it is trusted only once.

    `timeout` (seconds) covers TCP and handshake. `quietly` hides the step; `native` takes paramiko. Raises SSHError,
    or MachineError without SSH.
    """
    # paramiko takes 150 ms to load.
    from machinectl.ssh.connect import connect
    from machinectl.ssh.keys.host_keys import HostKeyPolicy
    from machinectl.ssh.ssh_errors import SSHError

    # A machine that is not created yet may be forgotten after a failure, with its key.
    how_long = "this once" if pin is None else "from now on" if machine.phase == Phase.READY else ""
    keep = pin or (lambda _: None)
    policy = HostKeyPolicy(
        pinned_known_hosts(machine), login.host_key, login.strict, machine.name, how_long, login.again, keep
    )

    endpoint = login_endpoint(machine, console, login, ssh)
    with ExitStack() as stack:
        with nullcontext() if quietly else console.step(f"Connecting to {endpoint.host}"):
            try:
                session = stack.enter_context(
                    connect(
                        endpoint, login.credentials, policy, console, timeout=timeout, native=native, trace=login.trace
                    )
                )
            except SSHError as exc:
                add_machine_hints(exc, machine, endpoint)
                raise
        if session.known_hosts != policy.pinned:
            keep(session.known_hosts)
        yield session


def add_machine_hints(error: SSHError, machine: Machine, ssh: SSHEndpoint) -> None:
    """Name the commands that set the machine's address, port and key, and that switch its host on."""
    from machinectl.ssh.ssh_errors import SETTINGS, HostKeyRefused, NoKey, Unreachable

    if machine.phase != Phase.READY:
        return
    doctor = Hint("See why", "machinectl doctor", machine.name)
    if isinstance(error, NoKey) and error.path == ssh.key:
        # An import brings it on request only.
        error.cause = f'The SSH key of "{machine.name}" is missing: {error.path}'
        error.hint = set_hint(machine, "ssh-key", "Give it a key that its host knows", "<FILE>") or doctor
        return
    error.hint = error.advice
    if error.setting:
        error.hint |= set_hint(machine, error.setting, *SETTINGS[error.setting])
    if isinstance(error, HostKeyRefused) and error.shown and not ssh.jump:
        # Offer no key of one of several addresses.
        see = Hint("See its addresses", "machinectl doctor", machine.name)
        error.hint = see if machine.addresses else moved_hint(machine) | error.advice
    off, hop = machine.name, ssh.jump
    while hop:
        # "" if the first jump host is no machine.
        off, hop = hop.machine, hop.endpoint.jump
    if off and isinstance(error, Unreachable):
        error.hint |= Hint("if it is off", "machinectl start", off)


def moved_hint(machine: Machine) -> Hint:
    text = f"If the host of {machine.name} has another address now"
    by_url = Hint(text, "machinectl set --url <URL>", machine.name)
    return set_hint(machine, "ip-address", text, "<ADDRESS>") or by_url


def set_hint(machine: Machine, setting: str, text: str, value: str) -> Hint:
    """Suggest the driver's `set` command, or the fleet file's key: `apply` takes back what `set` changes."""
    option = flag_of_set(machine, setting)
    if not option:
        return NO_HINT
    if machine.fleet:
        return Hint(f"{text}, in the fleet file: {setting}: {value}")
    return Hint(text, f"machinectl set {option} {value}", machine.name)


def pin_in_store(store: Store, console: Console, machine: Machine) -> Callable[[bytes], None]:
    """Return what pins a key. It locks the machine only then: a `provision` may hold it for minutes."""

    def pin(known_hosts: bytes) -> None:
        with store.writing(machine.name, waiting(console, machine.name)) as held:
            pin_known_hosts(held, known_hosts)

    return pin


def pin_known_hosts(held: Held, known_hosts: bytes) -> None:
    if known_hosts != pinned_known_hosts(held.machine):
        held.write_file(KNOWN_HOSTS, known_hosts)


def pin_host_key(held: Held, console: Console, login: Login, ssh: SSHEndpoint) -> str:
    """Pin a key before the first login; return why it is not pinned, or "".

    An unreachable host is an error only if a key is required.
    """
    from machinectl.ssh.connect import check_host_key
    from machinectl.ssh.keys.host_keys import HostKeyPolicy
    from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError

    policy = HostKeyPolicy(pinned_known_hosts(held.machine), login.host_key, login.strict, held.name)
    try:
        with console.step(f"Connecting to {ssh.host}"):
            known_hosts = check_host_key(ssh, login.credentials, policy, console)
    except HostKeyRefused:
        raise
    except SSHError as exc:
        if login.host_key or login.strict:
            raise
        return f'The SSH key of "{held.name}" is not pinned before the first login: {exc.cause}'
    pin_known_hosts(held, known_hosts)
    return ""


def pin_first_key(store: Store, console: Console, machine: Machine, login: Login, ssh: SSHEndpoint) -> None:
    """Pin the key of a host whose key is not known yet, for the system's ssh."""
    if not os.path.lexists(known_hosts_path(machine)):
        with store.writing(machine.name, waiting(console, machine.name)) as held:
            if warning := pin_host_key(held, console, login, ssh):
                console.warn(warning)


@contextmanager
def logged_in_as_root(
    held: Held, console: Console, login: Login, *, ssh: SSHEndpoint | None = None
) -> Iterator[ScriptRunner]:
    """Log in, and see `lock_as_root`. Raises SSHError."""
    with logged_in(held.machine, console, login, ssh=ssh, pin=partial(pin_known_hosts, held)) as session:
        yield lock_as_root(held, console, login, session)


def lock_as_root(held: Held, console: Console, login: Login, session: SSHSession) -> ScriptRunner:
    """Become root, and lock the host. Raises RootRefused, MachineError if it is locked."""
    root = root_runner(session, console, login)
    # Imported here: it imports `secrets`, which few verbs need.
    from machinectl.hosts.host_lock import lock_host

    lock_host(root, console, held.name, held.directory)
    return root


def root_runner(session: SSHSession, console: Console, login: Login) -> ScriptRunner:
    from machinectl.ssh.sudo import become_root

    return become_root(session, login.credentials, console)
