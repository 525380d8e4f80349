"""``rigctl resume``: after a crash of the controller, to one legal state.

From: people, systemd.  To: `controller.resume`.
"""

import sys
from typing import Any

import click
import msgspec

from rigctl.cli.desk import busy, lab_command, out, with_desk
from rigctl.cli.exits import exit_code, fail
from rigctl.cli.outcome import code_of, show
from rigctl.controller import Desk
from rigctl.controller.goals import Aim
from rigctl.controller.resume import Resumed


@click.command()
@lab_command
def resume(lab_file: str | None, as_json: bool) -> None:
    """Bring the rigs to one legal state after a crash of the controller.

    Every rig is asked how it is. A start that was cut short stands if it had reached all required
    rigs, and else is undone; what is to run and does not is started again; what was to be stopped
    or cleaned up is. What another controller began is left alone.
    """

    async def act(desk: Desk) -> Resumed:
        with busy("asking the rigs ..."):
            return await desk.resume()

    resumed = with_desk(lab_file, act)
    if as_json:
        click.echo(_as_text(resumed))
    else:
        out.print(resumed.one_line(), markup=False)
        show(resumed.report, as_json=False)
    if resumed.failure:
        fail(str(resumed.failure), exit_code(resumed.failure))
    sys.exit(code_of(resumed.report) if resumed.goal.aim is Aim.RUNNING else 0)


def _as_text(resumed: Resumed) -> str:
    """Return the lab's report, and beside it in what the resume has ended."""
    report: dict[str, Any] = msgspec.to_builtins(resumed.report)
    wanted = {"aim": str(resumed.goal.aim), "exp_ref": resumed.goal.exp_ref}
    ended = {"summary": resumed.one_line(), "wanted": wanted, "ok": resumed.failure is None}
    return msgspec.json.format(msgspec.json.encode(report | ended), indent=2).decode()
