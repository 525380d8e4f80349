"""^C and SIGTERM as an orderly end."""

import os
import signal

import pytest

from rigctl.cli.interrupts import on_interrupt


@pytest.mark.parametrize(
    ("number", "label", "code"), [(signal.SIGINT, "^C", 130), (signal.SIGTERM, "SIGTERM", 143)]
)
async def test_the_first_signal_is_noted_and_the_second_ends_the_process(number, label, code):
    with on_interrupt() as interrupt:
        assert not interrupt.came.is_set()
        os.kill(os.getpid(), number)
        await interrupt.came.wait()
        assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL)
    assert (interrupt.label, interrupt.exit_code) == (label, code)
