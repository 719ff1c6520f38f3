"""The command `ovd`. Each noun has a file; a command loads what it needs when it runs, so that `--help` is quick."""

import os
import sys
import traceback
from typing import NoReturn, Optional

MISSING = "The command ovd needs three more libraries. Install them with: pip install 'ovd[cli]'"


def main(arguments: Optional[list[str]] = None) -> NoReturn:
    """Run the command line and exit: 0 when done, 1 when refused or failed, 2 when not understood, 130 when stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        from ovd.cli.commands import build
    except ModuleNotFoundError as missing:
        if missing.name != "typer":
            raise
        print(MISSING, file=sys.stderr)
        sys.exit(1)
    try:
        build(arguments)(arguments, prog_name="ovd")
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone, as in `ovd list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from ovd.cli.wording import worded

        if os.environ.get("OVD_TRACEBACK"):
            traceback.print_exc()
        print(worded(error), file=sys.stderr)
        sys.exit(1)
    sys.exit(0)
