"""gclip without a browser: ``python -m gclip run`` and ``python -m gclip sweep``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gclip.commands import run, sweep
from gclip.commands.files import RefusedError

COMMANDS = {"run": run, "sweep": sweep}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 with a plain sentence on standard error."""
    parser = argparse.ArgumentParser("python -m gclip", description="Learn gradient clipping by experiment.")
    commands = parser.add_subparsers(required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.add_options(command)
        command.set_defaults(main=module.main)
    options = parser.parse_args(argv)
    try:
        return options.main(options)
    except RefusedError as refused:
        print(refused, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
