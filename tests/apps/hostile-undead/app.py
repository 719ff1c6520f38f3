"""Undead: leaves processes behind: twice forked, in sessions of their own, deaf, everything closed, under other names.

Each would live for a minute; their command line holds the words that the test looks for.
"""

import os
import signal
import subprocess
import sys
import time

from ovd import App, Context, text

HIDE = """
import os, signal, sys, time
for number in range(1, 64):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
os.closerange(0, 4096)
time.sleep(60)
"""


def leave(words: str) -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(sys.executable, [sys.executable, "-c", HIDE, words], {"PATH": "/usr/bin:/bin"})
        os._exit(0)
    os.wait()


class Undead(App):
    def execute(self, context: Context, act: str = text(), words: str = text()) -> str:
        for _ in range(3):
            leave(words)
        subprocess.Popen(["/bin/sh", "-c", f"trap '' TERM HUP; sleep 60 # {words}"], start_new_session=True)
        time.sleep(0.2)
        if act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
            os._exit(9)
        if act == "hang":
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.pthread_sigmask(signal.SIG_BLOCK, {number})
            time.sleep(60)
        return "left"
