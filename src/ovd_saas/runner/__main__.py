"""The runner's entry: `python -m ovd_saas.runner`. SIGTERM or Ctrl-C ends it and all its processes within 3 s."""

import asyncio
import fcntl
import logging
import os
import resource
import signal
import sys
from dataclasses import replace

from ovd.walls import namespaces
from ovd.walls.standing import standing as standing_walls
from ovd_saas.runner import configuration, strays, walls
from ovd_saas.runner.agent import Agent
from ovd_saas.runner.cgroups import Groups

log = logging.getLogger("ovd_saas.runner")


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s runner %(levelname)s %(message)s")
    os.umask(0o077)
    try:
        settings = configuration.read()
        walls.required(settings.walls)  # a wrong name is said before anything is begun
        standing = standing_walls(first_uid=settings.uids[0])
        lock = _take(settings)
    except configuration.Misconfigured as error:
        log.error("%s", error)
        return 2
    strays.adopt()
    _open_many_files()
    groups = Groups(settings.home, are_wanted=settings.cgroups)
    standing |= groups.standing()
    try:
        walls.insist(settings.walls, standing)
        if os.geteuid() != 0 and not standing["files"]:
            namespaces.enter_own()
            settings = replace(settings, is_namespaced=True)
        asyncio.run(_serve(settings, standing, groups))
    except configuration.Misconfigured as error:
        log.error("%s", error)
        return 2
    finally:
        groups.close()
        os.close(lock)
    return 0


def _open_many_files() -> None:
    """Each process of an application costs the runner up to ten descriptors."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _take(settings: configuration.Configuration) -> int:
    """Make the run folder ours: a second runner would remove the sockets of the first."""
    for folder in (settings.home, settings.run):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(settings.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise configuration.Misconfigured(
            f"Another runner already uses {settings.run}. Stop it, or set OVD_RUN and OVD_HOME to other folders."
        ) from None
    return lock


async def _serve(settings: configuration.Configuration, standing: dict[str, str], groups: Groups) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    agent = Agent(settings, standing, groups)
    await agent.open()
    log.info("ready at %s", settings.socket)
    await asked.wait()
    log.info("stopping")
    await agent.close()


if __name__ == "__main__":
    raise SystemExit(main())
