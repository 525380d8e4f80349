"""Libraries that only exports and analysis need, and that need not be installed.

From: the extras of setup.cfg.  To: `recording.to_mne`, `recording.export`.
"""

import importlib
from typing import Any

from rigctl.errors import RecordingError


def library(module: str, extra: str) -> Any:
    """Import a library that comes with an extra.

    Raises:
        RecordingError: it is not installed; with what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise RecordingError(
            f"this needs {name}, which cannot be imported ({error}): pip install 'rigctl[{extra}]'"
        ) from error
