"""The desk: a lab's rigs told together, an experiment brought through its life."""

from rigctl.controller.desk import Desk
from rigctl.controller.lab import connect
from rigctl.controller.services import Services

__all__ = ["Desk", "Services", "connect"]
