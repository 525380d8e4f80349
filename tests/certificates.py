"""Certificates for tests: an authority of one's own, and what it signs, as files."""

import datetime
import itertools
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from rigctl.config.tls import TlsFiles

_DAY = datetime.timedelta(days=1)


@dataclass
class Authority:
    """Signs certificates.

    Args:
        folder: where the files are put.
    """

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.file)

    def sign(self, name: str, *, age_days: int | None = None) -> TlsFiles:
        """Return the files of a new certificate for a host; `age_days`: since when it is void."""
        now = datetime.datetime.now(datetime.UTC)
        times = (
            {"not_before": now - 900 * _DAY, "not_after": now - age_days * _DAY} if age_days else {}
        )
        signed = self.ca.issue_cert(name, **times)
        number = next(self._numbers)
        cert, key = (self.folder / f"{name}-{number}.{kind}" for kind in ("pem", "key"))
        signed.cert_chain_pems[0].write_to_path(cert)
        key.touch(mode=0o600)
        signed.private_key_pem.write_to_path(key)
        return TlsFiles(cert, key)

    def trusting(self, own: TlsFiles | None = None) -> TlsFiles:
        """Return files that trust this authority, with a certificate to show or none."""
        own = own or TlsFiles()
        return TlsFiles(own.cert, own.key, self.file)
