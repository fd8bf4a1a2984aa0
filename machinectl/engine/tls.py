"""Mutual TLS like docker's client, with explanations of failures."""

from __future__ import annotations

import os
import socket
import ssl
from select import POLLIN, POLLOUT, poll
from threading import TIMEOUT_MAX, Timer

from machinectl.engine.endpoint import GRACE, EngineError, NeedsCertificates, UnclearServer
from machinectl.engine.wire import Wire, connect_tcp
from machinectl.errors import NO_HINT, Hint, put_certificates_in
from machinectl.files.atomic import read_file
from machinectl.name_resolution import encoded
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from machinectl.engine.endpoint import Deadline, Endpoint
    from machinectl.url import EngineURL

CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"

# verify_code values (OpenSSL x509_vfy.h, X509_V_ERR_…).
NOT_YET_VALID, EXPIRED = 9, 10
OTHER_NAMES = {62, 64}
# No issuer, wrong signature, self-signed, issuer with another key.
OTHER_CA = {2, 7, 18, 19, 20, 21, 30}
CLOSED_IN_HANDSHAKE: tuple[type[OSError], ...] = (*Wire.closed, ssl.SSLEOFError)
# Alerts for a missing client certificate; the last two up to TLS 1.2 (Go's crypto/tls, OpenSSL).
WANTING = ("CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_HANDSHAKE_FAILURE")
# Alerts about the client certificate.
UNKNOWN_CA, CERTIFICATE_EXPIRED = "ALERT_UNKNOWN_CA", "ALERT_CERTIFICATE_EXPIRED"
REFUSALS = (UNKNOWN_CA, "CERTIFICATE", "ALERT_ACCESS_DENIED")
# OpenSSL's reasons for bytes that are not TLS; they vary by version and input.
NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH", "UNEXPECTED_MESSAGE")
COMPARE_CLOCKS = Hint("Compare the clocks here and there", "date -u")
ISSUED = "Use one that the engine's CA issued"


class ClocksDiffer(EngineError):
    """The engine's clock is outside the validity of the client certificate, and the clock here is not."""


class TLSWire(Wire):
    """A TLS connection. With TLS 1.3, a refused client finds out at its first read."""

    sock: ssl.SSLSocket
    closed = (*Wire.closed, ssl.SSLError)

    def failure(self, exc: OSError) -> EngineError:
        if not isinstance(exc, ssl.SSLError):
            return super().failure(exc)
        # OpenSSL 3's errors for an early close.
        if exc.library == "SYS" or isinstance(exc, ssl.SSLEOFError):
            return self.silence()
        return refused_by_engine(self.endpoint, exc)

    def silence(self) -> EngineError:
        return closed_after_handshake(self.endpoint)


def closed_after_handshake(endpoint: Endpoint) -> EngineError:
    return NeedsCertificates(
        f"{endpoint.peer} closes the connection after the TLS handshake: it may refuse the client certificate",
        import_hint(endpoint, ISSUED),
    )


def connect_tls(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> TLSWire:
    return secured_by(client_context(endpoint), connect_tcp(endpoint, url, deadline), endpoint, url, deadline)


def secured_by(
    context: ssl.SSLContext, sock: socket.socket, endpoint: Endpoint, url: EngineURL, deadline: Deadline
) -> TLSWire:
    """Shake hands on `sock`; close it on failure. Raises EngineError, from OSError."""
    try:
        # Names in certificates never have the trailing dot.
        name = encoded(url.host.rstrip("."))
        secured = context.wrap_socket(sock, do_handshake_on_connect=False, server_hostname=name)
    except BaseException:
        sock.close()
        raise
    try:
        shake_hands(secured, deadline)
    except OSError as exc:
        error = handshake_error(endpoint, url.host, exc, deadline, secured)
        secured.close()
        raise error from exc
    except BaseException:
        secured.close()
        raise
    return TLSWire(secured, endpoint, deadline)


def shake_hands(secured: ssl.SSLSocket, deadline: Deadline) -> None:
    """Raises TimeoutError if nothing arrives in time, however late this thread gets the processor."""
    secured.settimeout(0)
    while True:
        left = deadline.patience()
        # OpenSSL goes on as long as bytes arrive that mean nothing.
        seconds = TIMEOUT_MAX if left is None else left + GRACE
        cut = Timer(seconds, socket.socket.shutdown, [secured, socket.SHUT_RDWR])
        cut.daemon = True
        cut.start()
        try:
            return secured.do_handshake()
        except ssl.SSLWantReadError:
            wanted = POLLIN
        except ssl.SSLWantWriteError:
            wanted = POLLOUT
        finally:
            cut.cancel()
        ready = poll()
        ready.register(secured, wanted)
        while not ready.poll((left := deadline.patience()) and left * 1000):
            if deadline.is_over:
                raise TimeoutError


def handshake_error(
    endpoint: Endpoint, host: str, exc: OSError, deadline: Deadline, secured: ssl.SSLSocket | ssl.SSLObject
) -> EngineError:
    peer, error = endpoint.peer, None
    if isinstance(exc, TimeoutError):
        error = EngineError(
            f"{peer} takes the connection, but has not answered in TLS within {deadline}",
            Hint("Look at the engine's journal on its host", "journalctl -u docker"),
            State.TIMEOUT,
        )
    elif isinstance(exc, CLOSED_IN_HANDSHAKE):
        error = EngineError(
            f"{peer} closes the connection in the TLS handshake: it may not speak TLS",
            Hint("Check that an engine is at that address", "machinectl url", endpoint.name),
        )
    elif isinstance(exc, ssl.SSLCertVerificationError):
        error = certificate_error(endpoint, host, exc)
        error.verified = is_signed(endpoint, exc)
    elif isinstance(exc, ssl.SSLError):
        # With our Finished message, the server has proven that it is the engine, in a handshake that then failed. With
        # TLS 1.2, the server looks at the client certificate later.
        is_engine = secured.context.verify_mode == ssl.CERT_REQUIRED and secured.get_channel_binding() is not None
        error = (refused_by_engine if is_engine else tls_error)(endpoint, exc)
    return error or EngineError(f"The connection to {peer} broke: {exc.strerror or exc}", Hint("Try again"))


def client_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the client's TLS context. Raises EngineError for unusable files.

    Like docker's client, works without cert.pem and key.pem.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13's default would refuse certificates without an authority key identifier; docker accepts them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Like Go, trust each certificate in ca.pem, even an intermediate CA's, and ignore common names.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    directory = endpoint.cert_dir
    files = [file for file in (CA, CERTIFICATE, KEY) if os.path.lexists(os.path.join(directory, file))]
    if not files:
        raise NeedsCertificates(f"There are no certificates in {directory}", import_hint(endpoint))
    ca = read_pem(endpoint, CA)
    try:
        context.load_verify_locations(cadata=ca)
        if files != [CA]:
            read_pem(endpoint, CERTIFICATE)
            if "ENCRYPTED" in read_pem(endpoint, KEY):
                raise unusable_file(endpoint, KEY, "is encrypted with a passphrase, which docker cannot ask for")
            context.load_cert_chain(*(os.path.join(directory, file) for file in (CERTIFICATE, KEY)))
    except ssl.SSLError as exc:
        bad = f"{CERTIFICATE} or {KEY}" if context.cert_store_stats()["x509_ca"] else CA
        raise unusable_file(endpoint, bad, f"cannot be used ({library_words(exc)})") from exc
    return context


def library_words(exc: ssl.SSLError) -> str:
    return (exc.reason or "").rpartition("ALERT_")[2].replace("_", " ").lower() or str(exc)


def read_pem(endpoint: Endpoint, file: str) -> str:
    """Return a PEM file's text. Raises EngineError."""
    try:
        text = read_file(os.path.join(endpoint.cert_dir, file)).decode("ascii", "replace")
    except FileNotFoundError as exc:
        raise unusable_file(endpoint, file, "is missing") from exc
    except OSError as exc:
        raise unusable_file(endpoint, file, f"cannot be read ({exc.strerror})") from exc
    if "-----BEGIN " not in text:
        raise unusable_file(endpoint, file, "is not PEM")
    return text


def unusable_file(endpoint: Endpoint, file: str, what: str) -> EngineError:
    return NeedsCertificates(f"{file} in {endpoint.cert_dir} {what}", import_hint(endpoint))


def shown_certificate(endpoint: Endpoint, url: EngineURL, deadline: Deadline) -> bytes:
    """Return a server's unverified certificate as DER, or b"". Raises EngineError.

    Sends nothing: in TLS 1.3, the server shows its certificate first.
    """
    with secured_by(strangers_context(), connect_tcp(endpoint, url, deadline), endpoint, url, deadline) as wire:
        return wire.sock.getpeercert(binary_form=True) or b""


def strangers_context() -> ssl.SSLContext:
    """Return a context that trusts any server: never send secrets with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def is_signed(endpoint: Endpoint, exc: ssl.SSLCertVerificationError) -> bool:
    """Return whether the machine's CA signed the certificate that failed.

    OpenSSL checks from the CA down, for each certificate the signature and then the dates: a CA that is out of its
    dates fails before the server's signature (crypto/x509/x509_vfy.c, internal_verify). All else comes earlier.
    """
    return exc.verify_code in {EXPIRED, NOT_YET_VALID} and all(is_valid for *_, is_valid in validities_of(endpoint, CA))


def certificate_error(endpoint: Endpoint, host: str, exc: ssl.SSLCertVerificationError) -> EngineError:
    peer = endpoint.peer
    # Provisioning also makes certificates.
    makes = f"provision {endpoint.name}" if endpoint.takeover else f"certs create --out <DIR> --san {host}"
    renew = Hint("Make a new one for it", f"machinectl {makes}")
    if exc.verify_code in OTHER_NAMES:
        use = Hint("or use a name that it has", "machinectl set --url <URL>", endpoint.name)
        return EngineError(f"The certificate of {peer} is not for {host}, but for other names", renew | use)
    if exc.verify_code == EXPIRED:
        by = f"renew --due {endpoint.name}" if endpoint.takeover else makes
        renew = Hint("If the clock here is right, make a new one", f"machinectl {by}")
        return EngineError(f"The certificate of {peer}, or its CA's, has expired", renew)
    if exc.verify_code == NOT_YET_VALID:
        return EngineError(f"The certificate of {peer} is not valid yet", COMPARE_CLOCKS)
    if exc.verify_code not in OTHER_CA:
        return EngineError(f"The certificate of {peer} cannot be trusted: {exc.verify_message}", renew)
    if by := endpoint.given_by:
        again = Hint("after a new CA, ask for access again", endpoint.ask_again) if endpoint.ask_again else NO_HINT
        return EngineError(
            f"The certificate of {peer} is from another CA: another server has this address now, or {by} has made a "
            "new CA, which ended the access of this computer",
            Hint(f"Ask {by} which. After a new address, keep your key", "machinectl access renew", endpoint.name)
            | again,
        )
    cause = f"The certificate of {peer} is from another CA than {CA} in {endpoint.cert_dir}"
    if endpoint.takeover:
        return UnclearServer(cause, Hint("See whose it is", "machinectl doctor", endpoint.name))
    return NeedsCertificates(cause, foreign_ca_hint(endpoint))


def refused_by_engine(endpoint: Endpoint, exc: ssl.SSLError) -> EngineError:
    """Return the error for an alert of a server whose certificate was verified."""
    error = refusal(endpoint, exc) or tls_error(endpoint, exc)
    error.verified = True
    return error


def refusal(endpoint: Endpoint, exc: ssl.SSLError) -> EngineError | None:
    """Return the error for a TLS alert about the client certificate (RFC 8446 6)."""
    peer, directory, reason = endpoint.peer, endpoint.cert_dir, exc.reason or ""
    shown = os.path.lexists(os.path.join(directory, CERTIFICATE))
    if "CERTIFICATE_REQUIRED" in reason or (not shown and wants_certificate(exc)):
        where = "" if shown else f", and there is none in {directory}"
        return NeedsCertificates(f"{peer} requires a client certificate{where}", import_hint(endpoint))
    if UNKNOWN_CA in reason and endpoint.given_by:
        return EngineError(
            f"{peer} refuses this computer: {endpoint.given_by} has ended its access to it, or made a new CA",
            Hint("Ask for access again", endpoint.ask_again),
        )
    # Go says "expired" also of one that is not valid yet.
    dates = validities_of(endpoint, CERTIFICATE) if CERTIFICATE_EXPIRED in reason else []
    if dates and dates[0][2]:
        begin, end, _ = dates[0]
        return ClocksDiffer(
            f"{peer} refuses the client certificate in {directory}: by the clock there, it is not valid "
            f"(from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC)",
            COMPARE_CLOCKS,
        )
    if not any(alert in reason for alert in REFUSALS):
        return None
    cause = f"{peer} refuses the client certificate in {directory}: {library_words(exc)}"
    return NeedsCertificates(cause, import_hint(endpoint, ISSUED))


def tls_error(endpoint: Endpoint, exc: ssl.SSLError) -> EngineError:
    """Return the error for an alert of a server that may be another, or for a non-TLS answer."""
    if any(mark in (exc.reason or "") for mark in NOT_TLS):
        return EngineError(
            f"{endpoint.peer} answers, but not in TLS",
            Hint("If a plain engine is meant to be there", "machinectl set --no-tls", endpoint.name),
        )
    return EngineError(
        f"TLS with {endpoint.peer} failed: {library_words(exc)}",
        Hint("Check that an engine is at that address", "machinectl url", endpoint.name),
    )


def wants_certificate(exc: BaseException | None) -> bool:
    return isinstance(exc, ssl.SSLError) and any(alert in (exc.reason or "") for alert in WANTING)


def foreign_ca_hint(endpoint: Endpoint) -> Hint:
    """Return what to type if the host is the machine's."""
    hint = import_hint(endpoint, "Use the certificates that belong to this engine")
    return hint | Hint("or take its host over", endpoint.takeover) if endpoint.takeover else hint


def import_hint(endpoint: Endpoint, *how: str) -> Hint:
    return endpoint.renewal or put_certificates_in(endpoint.name, *how)


def validities_of(endpoint: Endpoint, file: str) -> list[tuple[datetime, datetime, bool]]:
    """Return when each certificate in a file begins and ends, and whether it is valid now."""
    from datetime import UTC, datetime

    from machinectl.certificate_dates import validities

    now = datetime.now(UTC)
    try:
        dates = validities(read_file(os.path.join(endpoint.cert_dir, file)))
    except OSError:
        return []
    return [(begin, end, begin <= now < end) for begin, end in dates]
