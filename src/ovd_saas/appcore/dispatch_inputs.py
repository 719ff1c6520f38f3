"""Input files: from the file store to a process, chunk by chunk. Floor 2."""

import asyncio
from collections.abc import Collection
from typing import Any

from ovd.protocol import CHUNK
from ovd_saas.appcore.dispatch_channel import Channel
from ovd_saas.files import store


def files_of(inputs: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """The inputs that are files."""
    return {name: inputs[name] for name in fields if isinstance(inputs.get(name), dict)}


async def send(channel: Channel, wire: str, given: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
    """Afterwards the process has the files; returned are the inputs as it is to get them.

    Raises files.Missing, OSError, ChannelLost.
    """
    inputs = dict(given)
    for number, (name, value) in enumerate(sorted(files.items())):
        await _send_one(channel, wire, f"f{number}", value["digest"])
        about = {key: value[key] for key in ("name", "media_type", "size")}
        inputs[name] = {"file": f"f{number}", **about}
    return inputs


async def _send_one(channel: Channel, id_: str, file: str, digest: str) -> None:
    opened = await asyncio.to_thread(store.open, digest)
    try:
        chunk = await asyncio.to_thread(opened.read, CHUNK)
        while True:
            following = await asyncio.to_thread(opened.read, CHUNK)
            channel.send({"type": "file", "id": id_, "file": file, "last": not following}, chunk)
            await channel.drain()
            if not following:
                return
            chunk = following
    finally:
        await asyncio.to_thread(opened.close)
