"""Install Docker Engine by Docker's script or from the distribution, and remove its packages."""

from __future__ import annotations

import queue
import re
import threading
import urllib.request
from dataclasses import replace
from functools import partial
from http.client import HTTPException, IncompleteRead
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit

from machinectl.errors import NO_HINT, CheckFailed, Hint, MachineError, one_line
from machinectl.masking import without_passwords
from machinectl.provision.decision import Decision, failure, job_not_started, tail
from machinectl.provision.facts.host_facts import ServiceState
from machinectl.provision.host_changes import ENGINE_PACKAGE, PackageInstalled, of_kind
from machinectl.provision.job import Job, command_job
from machinectl.provision.steps import distributions
from machinectl.url import check_install_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.job import RemoteResult
    from machinectl.provision.steps.distributions import Distribution
    from machinectl.provision.target import Target

# Seconds to wait for package manager locks: unattended upgrades take minutes.
LOCK_DEADLINE = 300
# Seconds; hundreds of MB over a slow line.
INSTALL_TIMEOUT = 3600
# deb-control(5), "Package"; rpm, pacman and apk also allow capitals and _.
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
# Conflicts and Obsoletes of containerd.io and docker-ce-cli.
REPLACED_BY_DOCKERS = ("containerd", "runc", "docker-cli", "rootlesskit")
# Bytes; get.docker.com's has 23 KB.
LONGEST_SCRIPT = 1 << 20
# Seconds; then use the distribution's package.
DOWNLOAD_TIMEOUT = 5.0
# For the dry run's next steps.
GUESSED_UNIT = "# /usr/lib/systemd/system/docker.service\n[Service]\nExecStart=/usr/bin/dockerd -H fd://\n"


def decide(facts: Facts, target: Target, script: Callable[[str], bytes | None]) -> Decision | None:
    """Install a missing engine. `script` downloads Docker's script, or returns None."""
    if facts.dockerd:
        return None
    distribution = distributions.choose_distribution(facts.os_release, target.os)
    url = without_passwords(target.install_url)
    downloaded = choose_docker_script(facts, target, distribution, script)
    if downloaded is not None:
        how = f"by Docker's script, {url}"
        pin = f" --version {target.version}" if target.version else ""
        install, refresh, package = f"sh ./script{pin}", "", "docker-ce"
    else:
        package = distribution.package
        if not package:
            raise CheckFailed(
                f"{facts.os_name} has no package of Docker Engine (its docker is podman's)",
                Hint(f"Use Docker's own: --engine-install docker ({url} must answer from here)"),
            )
        how = f"the distribution's package {package}{f' {target.version}' if target.version else ''}"
        install, refresh = distribution.install(package, target.version), distribution.refresh
    variables = {
        "refresh": refresh,
        "install": install,
        "start": distribution.start(),
        "locks": " ".join(distribution.locks),
        "lock_files": " ".join(distribution.lock_files),
        "deadline": str(LOCK_DEADLINE),
    }
    proxies = "".join(f"{name}={value}\n" for name, value in target.proxies.items())
    environment = {"environment": proxies.encode()}
    files = environment | ({"script": downloaded} if downloaded is not None else {})

    return Decision(
        title=f"Installing Docker Engine: {how}",
        details=tuple(line for line in (refresh, install, distribution.start()) if line),
        job=Job("install.sh", variables, files, timeout=INSTALL_TIMEOUT),
        after=replace(
            facts,
            dockerd="/usr/bin/dockerd",
            service=ServiceState(loaded=True, active=True, enabled=True),
            unit=GUESSED_UNIT,
        ),
        failure=partial(
            explain_failure,
            command=distribution.install(package) if downloaded else f"{refresh} && {install}",
            is_script=downloaded is not None and bool(distribution.package),
        ),
        changes=(PackageInstalled(package),),
        unforeseen=True,
        warnings=(f"{url} is not https: whoever can change what it sends is root on the host",)
        if downloaded is not None and not url.startswith("https://")
        else (),
        learned=lambda result: (installed_by(package, came_along(result.stdout)),),
    )


def choose_docker_script(
    facts: Facts, target: Target, distribution: Distribution, script: Callable[[str], bytes | None]
) -> bytes | None:
    """Download Docker's script if it is to install the engine, else return None."""
    url = without_passwords(target.install_url)
    replaced = [name for name in REPLACED_BY_DOCKERS if name in facts.packages]
    keeps_more = bool(replaced and distribution.package)
    if target.install != "docker" and (target.install != "auto" or not distribution.docker_script or keeps_more):
        return None
    why = f"{url} does not answer"
    try:
        downloaded = script(target.install_url)
    except NoScript as exc:
        downloaded, why = None, exc.cause
    if downloaded is None and target.install == "docker":
        raise MachineError(
            why,
            Hint("Let this computer reach it, or pass the URL of a copy: --engine-install-url <URL>")
            if "containerd.io" in facts.packages
            else Hint("Use the distribution's own package: --engine-install distro"),
        )
    if downloaded is not None and replaced:
        removals = " && ".join(map(distribution.remove, replaced))
        raise CheckFailed(
            f"Docker's packages would replace {' and '.join(replaced)} on the host",
            Hint("Install the distribution's package, which keeps them: --engine-install distro")
            if distribution.package
            else Hint("If nothing on the host needs them, remove them by hand", removals),
        )
    return downloaded


def came_along(output: bytes) -> list[str]:
    said = re.search(rb"^came along: (.*)$", output, re.MULTILINE)
    return said[1].decode(errors="replace").split() if said else []


def installed_by(package: str, names: Sequence[str]) -> PackageInstalled:
    """Return what came with `names`: a script may install another package of the engine than Docker's."""
    engine = next((name for name in (package, *names) if name in names and re.fullmatch(ENGINE_PACKAGE, name)), package)
    return PackageInstalled(engine, tuple(name for name in names if PACKAGE.fullmatch(name) and name != engine))


def unrecorded_packages(facts: Facts, changes: Iterable[Change]) -> list[Change]:
    """Return what an installation brought whose end this computer did not see."""
    return [
        replace(change, along=installed_by(change.package, facts.new_packages).along)
        for change in of_kind(changes, PackageInstalled)
        if not change.along and change.package in facts.new_packages
    ]


def explain_failure(result: RemoteResult, command: str, *, is_script: bool = False) -> MachineError:
    """`command` fails on the host as the job did. `is_script`: Docker's script ran, and there is another way."""
    otherwise = Hint("or use the distribution's own package: --engine-install distro") if is_script else NO_HINT
    return job_not_started(result) or MachineError(
        f"Docker Engine could not be installed:\n{tail(result)}",
        Hint("Repair it on the host, as root, until this works there", command)
        | Hint("then run the same command again")
        | otherwise,
    )


def remove_packages(facts: Facts, changes: Sequence[Change], os: str) -> Decision | None:
    """Remove the engine's package and unneeded dependencies; /var/lib/docker stays."""
    installed = [change for change in of_kind(changes, PackageInstalled) if is_package_installed(facts, change)]
    if not installed:
        return None
    family = distributions.choose_distribution(facts.os_release, os)
    along = [name for change in installed for name in change.along]
    details = [family.remove(change.package) for change in installed]
    details += [f"remove what came with it and nothing else needs: {' '.join(along)}"] if along else []
    scripts = ["export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l"]
    for change in installed:
        removal = family.remove_all(change.package, change.along) if change.along else family.remove(change.package)
        scripts.append(f"(\n{removal}\n) || exit")
    names = " ".join(change.package for change in installed)
    return Decision(
        f"Removing the package {names}",
        tuple(details),
        command_job("\n".join(scripts)),
        replace(facts, dockerd=""),
        failure("The engine's package could not be removed", Hint("Remove it on the host, and run this again")),
        undone=tuple(installed),
        remark=lambda _: "Docker's package repository stays on the host" * ("docker-ce" in names.split()),
    )


def is_package_installed(facts: Facts, change: PackageInstalled) -> bool:
    """Return False after an installation that failed. The recorded name may be virtual, so an engine counts, too."""
    return bool(facts.dockerd) or change.package in facts.packages


# Docker's script is refused if it is cut, or if others could change it on its way.


class NoScript(CheckFailed):
    """The URL of Docker's script answers with an HTTP error."""


class SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to https, or from http to http, as curl does with --proto-redir."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in {"https", req.type}:
            fp.close()
            where = one_line(without_passwords(newurl))
            raise refused(req.full_url, f"redirects to {where}, which is not {req.type}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download_script(url: str) -> bytes | None:
    """Download Docker's script here: minimal Debian has no curl. None on timeout, or if it is not a script.

    Raises UsageError for another kind of URL, NoScript for an HTTP error, CheckFailed for a script that must not run.
    """
    check_install_url(url)
    answers: queue.SimpleQueue[bytes | CheckFailed | None] = queue.SimpleQueue()
    # A silent name server must not delay exit.
    threading.Thread(target=lambda: answers.put(fetch(url)), daemon=True, name=f"download {url}").start()
    try:
        answer = answers.get(timeout=DOWNLOAD_TIMEOUT)
    except queue.Empty:
        return None
    if isinstance(answer, CheckFailed):
        raise answer
    return answer


def fetch(url: str) -> bytes | CheckFailed | None:
    """Download through the user's proxies; return an error instead of raising it, and None if there is no script."""
    try:
        with urllib.request.build_opener(SecureRedirects).open(url, timeout=DOWNLOAD_TIMEOUT) as answer:
            return read_script(url, answer)
    except HTTPError as exc:
        exc.close()
        return NoScript(f"{without_passwords(url)} answers {exc.code}")
    except CheckFailed as exc:
        return exc
    except (OSError, HTTPException, ValueError):
        return None


def read_script(url: str, answer: HTTPResponse) -> bytes | None:
    # The end of a connection, even of a TLS one, does not say that it was the end of the script.
    is_whole = answer.chunked or answer.headers["Content-Length"] is not None
    text = b""
    try:
        text = answer.read(LONGEST_SCRIPT + 1)
    except IncompleteRead:
        is_whole = False
    if is_whole and not text.startswith(b"#!"):
        return None
    if not is_whole or answer.length or len(text) > LONGEST_SCRIPT:
        limit = f"{LONGEST_SCRIPT >> 20} MB"
        raise refused(url, f"sent only a part of its script, does not say how long it is, or sends more than {limit}")
    return text


def refused(url: str, why: str) -> CheckFailed:
    return CheckFailed(
        f"{one_line(without_passwords(url))} {why}. The script did not run",
        Hint("Try again, or pass the URL of a copy: --engine-install-url <URL>"),
    )
