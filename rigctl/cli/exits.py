"""Exit codes, and what a user sees of an error: one clear sentence, never a traceback.

From: every command.  To: the shell.

    0  all well
    1  a rig failed or refused, a recording is not intact
    2  usage or configuration
    3  a rig cannot be reached
    130, 143  ended by ^C, SIGTERM
"""

import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from rigctl.cli.interrupts import INTERRUPTED
from rigctl.errors import (
    BadReference,
    ConfigError,
    NoEcho,
    RigctlError,
    RigsFailed,
    SessionNotFound,
    Unreachable,
)

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
_USAGE_ERRORS = (ConfigError, BadReference, SessionNotFound)

F = TypeVar("F", bound=Callable[..., Any])


def exit_code(error: Exception) -> int:
    """Return the exit code that an error means; a rig out of reach weighs most."""
    if isinstance(error, RigsFailed):
        return max(map(exit_code, error.errors.values()), default=FAILED)
    if isinstance(error, Unreachable | NoEcho):
        return UNREACHABLE
    return USAGE if isinstance(error, _USAGE_ERRORS) else FAILED


def fail(text: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong on standard error and end."""
    click.echo(f"rigctl: {text}", err=True)
    sys.exit(code)


def told(command: F) -> F:
    """Have a command's errors told and turned into exit codes."""

    @functools.wraps(command)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except RigctlError as error:
            fail(str(error), exit_code(error))
        except BrokenPipeError:
            sys.exit(OK)  # whoever read our output has seen enough
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    return call  # type: ignore[return-value]
