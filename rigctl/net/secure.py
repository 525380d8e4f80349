"""TLS: contexts made of certificate files, and what went wrong in words.

From: `config.tls`.  To: `net.route`, through `net.options`.

TLS 1.2 at the least; a client checks the rig's certificate and that it is for the host it asked
for; a server that has a ``ca`` takes only clients that show a certificate of it.
"""

import ssl

from rigctl.config.tls import TlsFiles
from rigctl.errors import ConfigError

SHUTDOWN_S = 2.0
"""How long a peer may take to agree to the end of a connection."""

_SENT_AWAY = (
    "took the connection and closed it unheard: it may want a certificate of ours (tls.cert and "
    "tls.key); the log of its daemon says why"
)
"""What is said of a rig that ends a connection before a word: TLS 1.3 tells a client no sooner."""

_NO_TLS = "it does not speak TLS: write tls:// at both ends, in the lab file and in the rig file"
_WENT = "it ended the handshake: it may not speak TLS (write tls:// at both ends), or not trust us"
_VERIFY = {
    9: "its certificate is not valid yet: check both clocks",
    10: "its certificate has expired: give the rig a new one",
    18: "its certificate is not trusted: name the one who signed it as tls.ca",
    19: "its certificate is not trusted: name the one who signed it as tls.ca",
    20: "its certificate is not trusted: name the one who signed it as tls.ca",
    21: "its certificate is not trusted: name the one who signed it as tls.ca",
    62: "its certificate is for another name: ask for the name that is in it, or make a new one",
    64: "its certificate is for another address: ask for the name that is in it, or make a new one",
}
"""X509_V_ERR_* (openssl/x509_vfy.h) of a rig's certificate, in words."""

_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
_REASONS = {
    **dict.fromkeys(_NOT_TLS, _NO_TLS),
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate: name tls.cert and tls.key there",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a certificate: name tls.cert and tls.key",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust our certificate: its tls.ca names who may sign",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired: make a new one",
    "UNSUPPORTED_PROTOCOL": "it speaks no newer TLS than 1.1",
}
"""OpenSSL's reasons, in words."""


def server_context(files: TlsFiles | None) -> ssl.SSLContext:
    """Return the context of a rig.

    Raises:
        ConfigError: a file is missing or wrong.
    """
    if files is None or files.cert is None:
        raise ConfigError(
            "", "tls", "tls:// needs a certificate of our own: name tls.cert and tls.key"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Nobody resumes sessions; and a client that speaks and leaves is not written to unasked.
    context.num_tickets = 0
    _load(context, files)
    if files.ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(files: TlsFiles | None = None) -> ssl.SSLContext:
    """Return the context of a controller; without a ``ca`` the system's are trusted.

    Raises:
        ConfigError: a file is missing or wrong.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if files is None or files.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if files:
        _load(context, files)
    return context


def own_context(server: ssl.SSLContext, files: TlsFiles | None) -> ssl.SSLContext | None:
    """Return the context by which a rig asks itself; None if it would not let itself in.

    It would not where it wants certificates of clients and its own is for servers only.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # we know who we are
    if files:
        _load(context, files)
    return context if _agree(context, server) else None


def _agree(client: ssl.SSLContext, server: ssl.SSLContext) -> bool:
    """Have two ends shake hands in memory; return whether they can."""
    forth, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, forth), server.wrap_bio(forth, back, server_side=True)]
    for end in ends * 3:  # no handshake has more flights
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return True


def server_name(host: str) -> str:
    """Return the name that a host's certificate must have: without zone and final dot."""
    return host.partition("%")[0].removesuffix(".")


def why_not(error: BaseException | None) -> str:
    """Return why a handshake failed, in words; empty if it is no matter of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fallback = f"its certificate is refused: {error.verify_message}"
        return _VERIFY.get(error.verify_code, fallback)
    if isinstance(error, ssl.SSLError):
        return _REASONS.get(error.reason or "", f"TLS fails: {error.reason or error}")
    return _WENT if isinstance(error, ConnectionResetError | ConnectionAbortedError) else ""


def why_lost(error: BaseException | None) -> str:
    """Return why a peer ended a connection, after the handshake and before a word."""
    # It may come as a reset, where what we had sent by then was not read.
    return why_not(error) if isinstance(error, ssl.SSLError) else _SENT_AWAY


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.cert:
        _load_own(context, files)
    if files.ca:
        try:
            context.load_verify_locations(files.ca)
        except OSError as error:
            raise _wrong(files.ca, "no certificate in PEM form", error) from error


def _load_own(context: ssl.SSLContext, files: TlsFiles) -> None:
    assert files.cert
    try:
        # With a password that is wrong for any, since nobody is there to type one.
        context.load_cert_chain(files.cert, files.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(str(files.key), "", f"is not the key of {files.cert}") from error
        what = f"no certificate in PEM form, or {files.key} no key without a password"
        raise _wrong(files.cert, what, error) from error
    except OSError as error:
        raise _wrong(files.key, f"not what is needed beside {files.cert}", error) from error


def _wrong(file: object, lacks: str, error: OSError) -> ConfigError:
    if isinstance(error, ssl.SSLError):
        return ConfigError(str(file), "", f"holds {lacks}")
    return ConfigError(str(file), "", f"cannot be read: {error.strerror}")
