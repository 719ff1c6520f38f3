"""Never: ready when it is checked, and never again: its set-up spins, deaf to everything, and holds the interpreter."""

import ctypes
import signal
import sys
from pathlib import Path

from ovd import App, Context, text


class Never(App):
    def setup(self, model: Path | None) -> None:
        if "ovd.testing" in sys.modules:
            return
        print("\x00last words \x1b[2J", file=sys.stderr)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        ctypes.PyDLL(None).sleep(60)

    def execute(self, context: Context, message: str = text()) -> str:
        return message
