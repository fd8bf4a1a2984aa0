"""A stand-in for the ssh of OpenSSH 7.4 (RHEL 7): it refuses unknown options, and otherwise runs the real ssh.

7.4 does not build with a libcrypto of today. As its readconf.c does, this refuses keywords and values that came later,
on the command line and in each file, also in lines about other hosts.
"""

from __future__ import annotations

import contextlib
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


def check(lines: list[str], where: str) -> None:
    """Refuse what 7.4 does not know; what is included, too. IgnoreUnknown counts for what follows it."""
    ignored, bad = "", 0
    for number, line in enumerate(map(str.strip, lines), start=1):
        place = f"{where}: line {number}: "
        keyword, _, value = re.sub(r"[\s=]+", " ", line, count=1).partition(" ")
        keyword, value = keyword.lower(), value.strip().strip('"')
        if not line or line.startswith("#"):
            continue
        if keyword == "ignoreunknown":
            ignored = ignored or value.lower()
        if keyword not in KEYWORDS and not any(fnmatch.fnmatchcase(keyword, name) for name in ignored.split(",")):
            print(f"{place}Bad configuration option: {keyword}", file=sys.stderr)
            bad += 1
        if keyword == "stricthostkeychecking" and value not in {"yes", "no", "ask", "true", "false", "off", "on"}:
            fail(f'{place}unsupported option "{value}".')
        if keyword in LISTS and value.startswith(("^", "-")):
            fail(f"{place}Bad SSH2 {keyword} '{value}'.")
        for pattern in re.findall(r'"[^"]*"|\S+', value) if keyword == "include" else []:
            for path in sorted(glob.glob(os.path.join(os.path.expanduser("~/.ssh"), pattern.strip('"')))):
                check_file(path)
    if bad:
        fail(f"{where}: terminating, {bad} bad configuration options")


def check_file(path: str) -> None:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as file:
        check(file.read().splitlines(), path)


def fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    raise SystemExit(255)


def main(real: str, arguments: list[str]) -> None:
    options, rest = getopt.getopt(arguments, LETTERS)
    options += getopt.getopt(rest[1:], LETTERS)[0]
    if ("-V", "") in options:
        print(VERSION, file=sys.stderr)
        return
    check([value for letter, value in options if letter == "-o"], "command-line")
    files = [value for letter, value in options if letter == "-F"][-1:]
    if files == ["/dev/stdin"]:
        # The real ssh reads it again.
        with tempfile.TemporaryFile() as copy:
            copy.write(sys.stdin.buffer.read())
            copy.flush()
            os.dup2(copy.fileno(), 0)
    for path in files or [os.path.expanduser("~/.ssh/config"), "/etc/ssh/ssh_config"]:
        check_file(path)
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
