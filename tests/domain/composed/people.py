"""What people do to an application, as far as `legal_actions` allows it."""

from collections.abc import Iterator

from domain.composed.explore import PERSON
from domain.composed.world import Scope, World
from ovd_saas.domain import applications, status


def steps(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    for action, refusal in applications.legal_actions(world.status, world.service, world.health).items():
        if refusal is None and _is_covered(action, world, scope):
            yield PERSON, f"person: {action}", _act(world, action)
    if world.release < scope.releases and world.status != status.RETIRED:
        yield (
            PERSON,
            "author: a new release is ready",
            world._replace(release=world.release + 1, failures=0, is_retry_early=False),
        )


def _is_covered(action: str, world: World, scope: Scope) -> bool:
    if action in (applications.WAKE, applications.SLEEP):
        return scope.with_wishes
    return scope.with_status or (action == applications.ENABLE and world.status == status.DRAFT)


def _act(world: World, action: str) -> World:
    if action == applications.WAKE:
        return world._replace(wake_asked=True, sleep_asked=False, failures=0, is_retry_early=False)
    if action == applications.SLEEP:
        return world._replace(sleep_asked=True, wake_asked=False)
    return world._replace(status=status.STATUS.follow(world.status, action))
