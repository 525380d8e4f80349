"""Text in RDA messages: whatever the bytes, it is read (pure).

From: `decode`, `markers`, `encode`.  To: the same.

8-bit text is Windows-1252, except that what is valid UTF-8 and not ASCII is taken as UTF-8: servers
of both kinds exist, and Windows-1252 text is hardly ever valid UTF-8 by chance.
"""

from collections.abc import Sequence

UNIT_BYTES = 2
"""One UTF-16 code unit."""


def decode_text(raw: bytes) -> str:
    """Return the text that 8-bit bytes mean; bytes that mean nothing become U+FFFD."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def encode_text(text: str) -> bytes:
    """Return zero-terminated bytes that `decode_text` reads as the same text."""
    text = text.replace("\0", "")
    raw = text.encode("cp1252", errors="replace")
    if decode_text(raw) != text:
        raw = text.encode("utf-8", errors="replace")
    return raw + b"\0"


def split_texts(raw: bytes, count: int) -> list[str]:
    """Return up to `count` zero-terminated 8-bit texts; the last may lack its zero."""
    parts = raw.split(b"\0", count)
    return [decode_text(part) for part in parts[:count]]


def split_wide_texts(raw: bytes, count: int) -> list[str]:
    """Return up to `count` zero-terminated UTF-16LE texts; the last may lack its zero."""
    even = raw[: len(raw) // UNIT_BYTES * UNIT_BYTES]
    return even.decode("utf-16-le", errors="replace").split("\0", count)[:count]


def encode_wide_text(text: str) -> bytes:
    """Return zero-terminated UTF-16LE bytes."""
    return text.replace("\0", "").encode("utf-16-le", errors="replace") + b"\0\0"


def wide_end(raw: bytes, begin: int) -> int:
    """Return where the UTF-16LE text that begins at `begin` has its zero, or -1."""
    end = raw.find(b"\0\0", begin)
    while end >= 0 and (end - begin) % UNIT_BYTES:
        end = raw.find(b"\0\0", end + 1)
    return end


def channel_names(raw: Sequence[str], count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return `count` names that are printable, not empty and unique, and what had to be changed.

    Channel n without a name is called ``Ch{n}``, counted from 1; the second ``Cz`` is ``Cz_2``.
    """
    clean = [_printable(name) for name in raw[:count]]
    clean += [""] * (count - len(clean))
    missing = clean.count("")
    names = _unique([name or f"Ch{index}" for index, name in enumerate(clean, start=1)])
    doubled = sum(bool(name) and name != kept for name, kept in zip(clean, names, strict=True))
    faults = (
        f"{missing} channel names are missing: Ch1, Ch2, ... are used" if missing else "",
        f"{doubled} channel names occur twice: they were numbered" if doubled else "",
    )
    return tuple(names), tuple(fault for fault in faults if fault)


def _printable(name: str) -> str:
    # Names become lines of a header file: a line break in one would break the file.
    return "".join(char if char.isprintable() else " " for char in name).strip()


def _unique(names: list[str]) -> list[str]:
    reserved, taken = set(names), set[str]()
    highest: dict[str, int] = {}
    unique = []
    for name in names:
        chosen = name
        while chosen in taken or (chosen != name and chosen in reserved):
            highest[name] = highest.get(name, 1) + 1
            chosen = f"{name}_{highest[name]}"
        taken.add(chosen)
        unique.append(chosen)
    return unique
