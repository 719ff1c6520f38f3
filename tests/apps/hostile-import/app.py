"""Imported: when it is checked it tells the check that all is well, with a schema of its own making, and takes what it
can of the machine."""

import json
import os
import signal

from ovd import App, Context, text

print(
    json.dumps({"event": "schema", "schema": {"version": 1, "inputs": 5, "outputs": [["\ud800\x00"]], "samples": "x"}})
)
print(json.dumps({"event": "sample", "name": ["\x00"], "status": "passed"}))
print(json.dumps({"event": "done", "ok": True}), flush=True)
try:
    os.kill(-1, signal.SIGKILL)
except OSError:
    pass
os._exit(0)


class Imported(App):
    def execute(self, context: Context, message: str = text()) -> str:
        return message
