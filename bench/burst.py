"""500 requests at once to one application that is asleep: one wake, none lost, the excess refused with Retry-After.

    .venv/bin/python bench/burst.py [--requests 500] [--rounds 3]

Starts a whole platform in a temporary folder. All connections are open before the first request is sent. What is
refused (429: more requests of one application wait than are held open) is sent again after the time that its answer
names, until all have been executed.
"""

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from stage import Stage, load, percentile, stage

ROOT = Path(__file__).resolve().parent.parent
ECHO = ROOT / "tests" / "apps" / "echo"
PATH = "/api/v1/applications/demo/echo/executions"


@dataclass
class Round:
    """What one burst was answered."""

    ids: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)  # ms, from the burst to the result
    refused: int = 0
    without_retry_after: int = 0
    others: list[int] = field(default_factory=list)  # statuses that should not be


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: Stage, number: int) -> None:
        body = json.dumps({"inputs": {"message": f"burst {number}"}}).encode()
        self._reader, self._writer = reader, writer
        self._request = (
            f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {up.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def go(self, began: float, result: Round) -> None:
        """Until it is executed."""
        while True:
            self._writer.write(self._request)
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            said = json.loads(await self._reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0])))
            status = int(head[9:12])
            if status == 201 and said["status"] == "succeeded":
                result.ids.append(said["id"])
                result.took.append(1000 * (time.perf_counter() - began))
                return
            if status != 429:
                result.others.append(status)
                return
            result.refused += 1
            if "retry-after:" not in head:
                result.without_retry_after += 1
            await asyncio.sleep(float(head.split("retry-after:")[1].split("\r\n")[0]) if "retry-after:" in head else 1)

    def close(self) -> None:
        self._writer.close()


async def burst(up: Stage, count: int) -> Round:
    place = urlsplit(up.url)
    result = Round()
    clients = [
        Client(*await asyncio.open_connection(place.hostname, place.port), up, number) for number in range(count)
    ]
    began = time.perf_counter()
    await asyncio.gather(*(client.go(began, result) for client in clients))
    for client in clients:
        client.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stage() as up:
        from ovd_saas.store.records import Execution, Process, Transition

        up.push(ECHO)
        door = up.door()
        door.execute("demo/echo", {"message": "hello"})
        for number in range(options.rounds):
            door.sleep("demo/echo")
            time.sleep(0.5)
            processes, executions = Process.objects.count(), Execution.objects.count()
            wakes = Transition.objects.filter(region="service", event="wake").count()
            result = asyncio.run(burst(up, options.requests))
            time.sleep(0.5)
            stored = Execution.objects.filter(pk__in=result.ids, status="succeeded").count()
            print(
                f"round {number + 1}: {len(result.ids)} of {options.requests} executed, {stored} archived, "
                f"{Execution.objects.count() - executions - options.requests} more or fewer rows; "
                f"{Transition.objects.filter(region='service', event='wake').count() - wakes} wake, "
                f"{Process.objects.count() - processes} process; 429 {result.refused} times, "
                f"{result.without_retry_after} without Retry-After; otherwise answered: {result.others or 'none'}; "
                f"first {min(result.took):.0f} ms, p50 {statistics.median(result.took):.0f} ms, "
                f"p95 {percentile(result.took, 0.95):.0f} ms, last {max(result.took):.0f} ms"
            )
        print(load())


if __name__ == "__main__":
    main()
