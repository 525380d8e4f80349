"""``python -m rigctl`` is ``rigctl``."""

from rigctl.cli import main

if __name__ == "__main__":
    main()
