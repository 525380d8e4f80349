"""How controller and rig speak: the confirmed echo, over UDP and TCP."""

from rigctl.net import verbs
from rigctl.net.communicator import Communicator
from rigctl.net.echo_protocol import EchoProtocol
from rigctl.net.options import Options
from rigctl.net.request import Request

__all__ = ["Communicator", "EchoProtocol", "Options", "Request", "verbs"]
