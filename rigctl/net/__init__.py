"""How controller and rig speak: the confirmed echo, over UDP and TCP."""

from rigctl.net import verbs
from rigctl.net.communicator import Communicator, Request
from rigctl.net.echo_protocol import EchoProtocol
from rigctl.net.options import Options

__all__ = ["Communicator", "EchoProtocol", "Options", "Request", "verbs"]
