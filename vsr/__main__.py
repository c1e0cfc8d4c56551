"""``python -m vsr``."""

from vsr.cli.app import main

if __name__ == "__main__":
    main()
