"""A stand-in for the ssh of OpenSSH 7.4 (RHEL 7): it refuses unknown options, and otherwise runs the real ssh.

7.4 does not build with a libcrypto of today. As its readconf.c does, this refuses keywords and values that came later,
on the command line and in each file, also in lines about other hosts. The first IgnoreUnknown that applies to the host
counts, for what is read after it.
"""

from __future__ import annotations

import fnmatch
import getopt
import glob
import os
import re
import sys
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import NoReturn

VERSION = "OpenSSH_7.4p1, OpenSSL 1.0.2k-fips  26 Jan 2017"
LETTERS = "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:PQ:R:S:TVw:W:XYy"
KEYWORD_LIST = """
protocol cipher fallbacktorsh globalknownhostsfile2 rhostsauthentication userknownhostsfile2 useroaming usersh
useprivilegedport afstokenpassing kerberosauthentication kerberostgtpassing gssapiauthentication
gssapidelegatecredentials smartcarddevice pkcs11provider rsaauthentication rhostsrsaauthentication compressionlevel
forwardagent forwardx11 forwardx11trusted forwardx11timeout exitonforwardfailure xauthlocation gatewayports
passwordauthentication kbdinteractiveauthentication kbdinteractivedevices pubkeyauthentication dsaauthentication
hostbasedauthentication challengeresponseauthentication skeyauthentication tisauthentication identityfile
identityfile2 identitiesonly certificatefile addkeystoagent identityagent hostname hostkeyalias proxycommand port
ciphers macs remoteforward localforward user host match escapechar globalknownhostsfile userknownhostsfile
connectionattempts batchmode checkhostip stricthostkeychecking compression tcpkeepalive keepalive
numberofpasswordprompts loglevel dynamicforward preferredauthentications hostkeyalgorithms bindaddress
clearallforwardings enablesshkeysign verifyhostkeydns nohostauthenticationforlocalhost rekeylimit connecttimeout
addressfamily serveraliveinterval serveralivecountmax sendenv controlpath controlmaster controlpersist hashknownhosts
include tunnel tunneldevice localcommand permitlocalcommand visualhostkey kexalgorithms ipqos requesttty
proxyusefdpass canonicaldomains canonicalizefallbacklocal canonicalizehostname canonicalizemaxdots
canonicalizepermittedcnames streamlocalbindmask streamlocalbindunlink revokedhostkeys fingerprinthash updatehostkeys
hostbasedkeytypes pubkeyacceptedkeytypes ignoreunknown proxyjump
"""
KEYWORDS = frozenset(KEYWORD_LIST.split())
LISTS = frozenset({"hostkeyalgorithms", "pubkeyacceptedkeytypes", "kexalgorithms", "ciphers", "macs"})


class Reader:
    """What ssh has read so far for a host."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.ignored: str | None = None
        self.bad = 0

    def option(self, line: str, where: str, *, active: bool) -> None:
        keyword, _, value = re.sub(r"[\s=]+", " ", line.strip(), count=1).partition(" ")
        keyword, value = keyword.lower(), value.strip().strip('"')
        if keyword == "ignoreunknown" and active and self.ignored is None:
            self.ignored = value
        if keyword not in KEYWORDS and not any(
            fnmatch.fnmatchcase(keyword, pattern.lower()) for pattern in (self.ignored or "").split(",")
        ):
            print(f"{where}Bad configuration option: {keyword}", file=sys.stderr)
            self.bad += 1
        if keyword == "stricthostkeychecking" and value not in {"yes", "no", "ask", "true", "false", "off", "on"}:
            fail(f'{where}unsupported option "{value}".')
        if keyword in LISTS and value.startswith(("^", "-")):
            fail(f"{where}Bad SSH2 {keyword} '{value}'.")

    def file(self, path: str, *, outer: bool = True) -> None:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except OSError:
            return
        active, before = outer, self.bad
        for number, line in enumerate(map(str.strip, lines), start=1):
            if not line or line.startswith("#"):
                continue
            keyword, *words = re.findall(r'"[^"]*"|[^\s="]+', line)
            words = [word.strip('"') for word in words]
            if keyword.lower() == "host":
                active = outer and self.is_among(words)
            elif keyword.lower() == "match":
                active = outer and words == ["all"]
            elif keyword.lower() == "include":
                for pattern in words:
                    whole = os.path.join(os.path.expanduser("~/.ssh"), os.path.expanduser(pattern))
                    for included in sorted(glob.glob(whole)):
                        self.file(included, outer=active)
            else:
                self.option(line, f"{path}: line {number}: ", active=active)
        if self.bad > before:
            fail(f"{path}: terminating, {self.bad - before} bad configuration options")

    def is_among(self, patterns: list[str]) -> bool:
        fits = [pattern for pattern in patterns if fnmatch.fnmatchcase(self.host, pattern.lstrip("!"))]
        return bool(fits) and not any(pattern.startswith("!") for pattern in fits)


def fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    raise SystemExit(255)


def main(real: str, arguments: list[str]) -> None:
    options, rest = getopt.getopt(arguments, LETTERS)
    more, _ = getopt.getopt(rest[1:], LETTERS)
    if ("-V", "") in options:
        print(VERSION, file=sys.stderr)
        return
    reader = Reader(rest[0] if rest else "")
    for letter, value in [*options, *more]:
        if letter == "-o":
            reader.option(value, "command-line: line 0: ", active=True)
            if reader.bad:
                raise SystemExit(255)
    files = [value for letter, value in [*options, *more] if letter == "-F"][-1:]
    if files == ["/dev/stdin"]:
        # The real ssh reads it again.
        with tempfile.TemporaryFile() as copy:
            copy.write(sys.stdin.buffer.read())
            copy.flush()
            os.dup2(copy.fileno(), 0)
    for path in files or [os.path.expanduser("~/.ssh/config"), "/etc/ssh/ssh_config"]:
        reader.file(path)
    if files == ["/dev/stdin"]:
        os.lseek(0, 0, os.SEEK_SET)
    os.execv(real, ["ssh", *arguments])


def install(directory: Path, real: str) -> None:
    """Install it in a directory as `ssh`."""
    directory.mkdir()
    program = directory / "ssh"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {__file__} {real} "$@"\n')
    program.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
