"""How controller and rig speak: the confirmed echo, over UDP and TCP."""

from rigctl.net import verbs
from rigctl.net.communicator import Communicator, Options, Request
from rigctl.net.echo_protocol import EchoProtocol

__all__ = ["Communicator", "EchoProtocol", "Options", "Request", "verbs"]
