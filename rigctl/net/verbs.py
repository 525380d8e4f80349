"""The messages that the verbs of an experiment make (pure).

From: `net.echo_protocol`, the controller and the daemon.  To: the same, as `Message`s.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from rigctl.errors import ProtocolError
from rigctl.messages import ERROR, Event, ExpRef, Json, Message, Status
from rigctl.net.codec import decode

_MAX_ERROR_CHARACTERS = 2000
"""How much of an error's text is sent, so that an error always fits its transport."""


class AlyxClient(Protocol):
    """What is needed of ``one.webclient.AlyxClient``."""

    base_url: str
    user: str
    is_logged_in: bool
    _token: Json


def init_message(data: Json = None) -> Message:
    """Return the command to get ready for an experiment."""
    return Message(Event.EXPINIT, (data,))


def start_message(exp_ref: str | Mapping[str, Json] | ExpRef | None, data: Json = None) -> Message:
    """Return the command to begin; the reference may be text, its parts, or None."""
    if isinstance(exp_ref, Mapping | ExpRef):
        exp_ref = str(ExpRef.parse(exp_ref))
    return Message(Event.EXPSTART, (exp_ref or None, data))


def stop_message(data: Json = None, immediately: bool = False) -> Message:
    """Return the command to stop, or to stop at once."""
    return Message(Event.EXPINTERRUPT if immediately else Event.EXPEND, (data,))


def cleanup_message(data: Json = None) -> Message:
    """Return the command to release devices and seal files."""
    return Message(Event.EXPCLEANUP, (data,))


def status_message(status: str | int | Status) -> Message:
    """Return the lightweight status message."""
    return Message(Event.EXPSTATUS, (int(Status.parse(status)),))


def info_message(status: str | int | Status, data: Json = None) -> Message:
    """Return the status message with details."""
    return Message(Event.EXPINFO, (int(Status.parse(status)), data))


def alyx_message(alyx: AlyxClient | None = None) -> Message:
    """Return the message that hands over a database token, or asks for one.

    Args:
        alyx: whose token is handed over; None asks.
    """
    base_url = alyx.base_url if alyx else None
    token = {alyx.user: alyx._token} if alyx and alyx.is_logged_in else {}  # noqa: SLF001 - one's own name for it
    return Message(Event.ALYX, (base_url, token))


def error_message(error: Exception, event: Event) -> Message:
    """Return the message that tells a peer that its command failed, and how."""
    text = f"{type(error).__name__}: {error}"
    if len(text) > _MAX_ERROR_CHARACTERS:
        text = text[: _MAX_ERROR_CHARACTERS - 4] + " ..."
    # Names of files may hold halves of characters, which no message can carry.
    return Message(ERROR, (text.encode(errors="replace").decode(), int(event)))


def as_message(data: Message | Sequence[Json] | str | bytes) -> Message:
    """Return the message meant by a message, its array, or that array as JSON.

    Raises:
        ValueError: it is none.
    """
    if isinstance(data, Message):
        return data
    if isinstance(data, str | bytes):
        try:
            return decode(data.encode() if isinstance(data, str) else data).message
        except ProtocolError as error:
            raise ValueError(f"not a message: {error}") from error
    if not data:
        raise ValueError("a message has an event at least")
    return Message(Event.parse(data[0]), tuple(data[1:]))
