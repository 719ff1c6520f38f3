"""Listening to streams of the API, as a client does that may lose its connection."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from django.test import AsyncClient

from api.reading import Sent, events


@dataclass
class Listener:
    """Follows streams with a token."""

    secret: str

    async def get(self, path: str, last: int | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        return await AsyncClient().get(path, headers=headers)

    async def follow(self, path: str, last: int | None = None) -> AsyncIterator[Sent]:
        """The events after `last`, until the stream ends or the caller stops."""
        answer = await self.get(path, last)
        assert answer.status_code == 200, answer.content
        assert answer["Content-Type"] == "text/event-stream"
        async for chunk in answer.streaming_content:
            for event in events(chunk.decode()):
                yield event

    async def all(self, path: str, last: int | None = None) -> list[Sent]:
        return [event async for event in self.follow(path, last)]
