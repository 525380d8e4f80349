"""Certificates for ``tls://``, as a lab or a rig file names them.

From: configuration files.  To: `net.tcp`, as an `ssl.SSLContext` made by `net.secure`.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rigctl.config.document import Document
from rigctl.config.key import check_private
from rigctl.config.units import folder


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files in PEM form."""

    cert: Path | None = None
    """Our own certificate; a rig must have one, a controller where the rigs ask for it."""
    key: Path | None = None
    """Its private key."""
    ca: Path | None = None
    """Whose certificates are trusted; on a rig: controllers must show one of them."""


class TlsKeys(msgspec.Struct, forbid_unknown_fields=True):
    """The keys under ``tls:``."""

    cert: str | None = None
    key: str | None = None
    ca: str | None = None


def tls_files(document: Document, keys: TlsKeys | None) -> TlsFiles | None:
    """Return the files that a document names under ``tls:``, each of which must be there.

    Raises:
        ConfigError: one is not there, others can read the key, or a certificate stands without it.
    """
    if keys is None:
        return None
    if bool(keys.cert) != bool(keys.key):
        raise document.error(("tls",), "cert and key belong together: give both or none")
    return TlsFiles(*(_file(document, name, getattr(keys, name)) for name in ("cert", "key", "ca")))


def _file(document: Document, name: str, text: str | None) -> Path | None:
    if text is None:
        return None
    path = document.check(("tls", name), functools.partial(folder, beside=document.path), text)
    if not path.is_file():
        raise document.error(("tls", name), f"there is no file {path}")
    if name == "key":
        document.check(("tls", name), _check_private, path)
    return path


def _check_private(path: Path) -> None:
    check_private(path, path.stat().st_mode)
