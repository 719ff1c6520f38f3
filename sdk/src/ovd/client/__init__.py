"""The platform from a program: push, execute, wait, follow, download, learn. Needs httpx: `ovd[cli]`.

from ovd.client import Client

client = Client("https://ovd.example.org", token="…")
execution = client.execute("acme/water-flow", {"horizon": 24}, files={"history": "flow.csv"})
print(execution.status, execution.outputs)
"""

from ovd.client.answers import FINAL, LEARNED, Execution, LearningRun, Model, Release
from ovd.client.calls import Client, safe_name
from ovd.client.connection import FilePart
from ovd.client.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    OvdError,
    PlatformFailed,
    TooLarge,
    TooManyRequests,
    Unreachable,
)
from ovd.client.events import Event
from ovd.client.feeding import Batch

__all__ = [
    "FINAL",
    "LEARNED",
    "Batch",
    "Client",
    "Conflict",
    "Event",
    "Execution",
    "FilePart",
    "InvalidInput",
    "LearningRun",
    "Model",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "OvdError",
    "PlatformFailed",
    "Release",
    "TooLarge",
    "TooManyRequests",
    "Unreachable",
    "safe_name",
]
