"""The messages that verbs make."""

from rigctl.errors import Refused
from rigctl.messages import Event
from rigctl.net import verbs
from rigctl.net.codec import decode, encode


def test_an_error_is_cut_so_that_it_always_fits():
    message = verbs.error_message(Refused("x" * 1_000_000), Event.EXPINIT)
    text, event = message.args
    assert (len(text), event) == (2000, 1)
    assert text.startswith("Refused: xxx") and text.endswith("x ...")


def test_an_error_about_a_name_that_is_no_text_can_be_sent():
    message = verbs.error_message(OSError("no file '\udcff.bin'"), Event.EXPSTART)
    assert decode(encode(message)).message.args == ("OSError: no file '?.bin'", 2)
