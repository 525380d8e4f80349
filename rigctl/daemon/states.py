"""The states of a rig, as a table (pure).

From: the daemon, which asks what a command means now.  To: the same, which carries it out.

    CONNECTED --INIT--> INITIALIZED --START--> RUNNING --END, INTERRUPT--> STOPPED
        ^------------------------------CLEANUP------------------------------'

A command means a list of steps; each step that has succeeded leads to its own status, so that the
status never says more than is true; the steps that end something lead there in any case.
No steps: the command changes nothing, and succeeds.
"""

from dataclasses import dataclass

from rigctl.errors import Refused
from rigctl.messages import Event, ExpRef, Status

INIT, START, END = Event.EXPINIT, Event.EXPSTART, Event.EXPEND
CLEANUP, INTERRUPT = Event.EXPCLEANUP, Event.EXPINTERRUPT

LEADS_TO = {
    INIT: Status.INITIALIZED,
    START: Status.RUNNING,
    END: Status.STOPPED,
    INTERRUPT: Status.STOPPED,
    CLEANUP: Status.CONNECTED,
}
"""The status after a step has succeeded."""

TRANSITIONS: dict[Status, dict[Event, tuple[Event, ...]]] = {
    Status.CONNECTED: {
        INIT: (INIT,),
        START: (INIT, START),
        END: (),
        INTERRUPT: (),
        CLEANUP: (CLEANUP,),
    },
    Status.INITIALIZED: {
        INIT: (),
        START: (START,),
        END: (),
        INTERRUPT: (INTERRUPT,),
        CLEANUP: (CLEANUP,),
    },
    Status.RUNNING: {
        INIT: (),
        START: (),
        END: (END,),
        INTERRUPT: (INTERRUPT,),
        CLEANUP: (END, CLEANUP),
    },
    Status.STOPPED: {
        INIT: (CLEANUP, INIT),
        START: (CLEANUP, INIT, START),
        END: (),
        INTERRUPT: (),
        CLEANUP: (CLEANUP,),
    },
}
"""Status and command -> steps."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a rig is, and with which experiment."""

    status: Status = Status.CONNECTED
    exp_ref: ExpRef | None = None


def plan(state: State, command: Event, exp_ref: ExpRef | None) -> tuple[Event, ...]:
    """Return the steps that a command means in a state.

    Args:
        state: where the rig is.
        command: INIT, START, END, INTERRUPT or CLEANUP.
        exp_ref: the reference that the command names, if it names one.

    Raises:
        Refused: it contradicts what the rig does; the text names both references.
    """
    steps = TRANSITIONS[state.status][command]
    active = state.status in (Status.INITIALIZED, Status.RUNNING)
    if active and exp_ref and state.exp_ref and exp_ref != state.exp_ref:
        todo = "stop it first" if state.status is Status.RUNNING else "clean it up first"
        raise Refused(
            f"{command.label} of {exp_ref}: this rig is {state.status.name} with {state.exp_ref}; "
            f"{todo} (rigctl {'stop' if state.status is Status.RUNNING else 'cleanup'})"
        )
    if START in steps and not (exp_ref or (active and state.exp_ref)):
        raise Refused("EXPSTART names no experiment reference, and none was given with EXPINIT")
    return steps


def after(state: State, step: Event, exp_ref: ExpRef | None) -> State:
    """Return the state after a step has succeeded."""
    if step is CLEANUP:
        return State()
    return State(LEADS_TO[step], exp_ref or state.exp_ref)
