"""Lookups: the thing an address names, if the caller may; foreign things are not there. Floor 3."""

from uuid import UUID

from ovd_saas.api.callers import Request
from ovd_saas.appcore import access
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.store.queries import applications, batches, executions, learning_runs, models, people, releases
from ovd_saas.store.records import Application, Batch, Execution, LearningRun, ModelVersion, Organisation, Release


def organisation(request: Request, slug: str, verb: str) -> Organisation:
    """Raises NotFound, Forbidden."""
    subject = f"organisation {slug}"
    access.require(request.auth, verb, slug, subject=subject)
    found = people.organisation(slug)
    if found is None:
        raise NotFound(f"There is no {subject}, or it is not yours.")
    return found


def application(request: Request, org: str, name: str, verb: str = access.SEE) -> Application:
    """Raises NotFound, Forbidden."""
    subject = f"application {org}/{name}"
    access.require(request.auth, verb, org, subject=subject)
    found = applications.by_address(org, name)
    if found is None:
        raise NotFound(f"There is no {subject}, or it is not yours.")
    return found


def release(request: Request, org: str, name: str, number: int, verb: str = access.SEE) -> Release:
    """Raises NotFound, Forbidden."""
    found = releases.by_number(application(request, org, name, verb), number)
    if found is None:
        raise NotFound(f"Application {org}/{name} has no release {number}.")
    return found


def execution(request: Request, id_: UUID, *, to_end: bool = False, verb: str = access.SEE) -> Execution:
    """`to_end`: for those who may cancel it or take it down. Raises NotFound, Forbidden."""
    subject = f"execution {id_}"
    found = executions.by_id(id_)
    if found is None:
        raise NotFound(f"There is no {subject}, or it is not yours.")
    slug = found.application.organisation.slug
    if to_end:
        access.require_control(request.auth, slug, found.caller, subject=subject)
    else:
        access.require(request.auth, verb, slug, subject=subject)
    return found


def model(request: Request, org: str, name: str, number: int, verb: str = access.SEE) -> ModelVersion:
    """Raises NotFound, Forbidden."""
    found = models.by_number(application(request, org, name, verb), number)
    if found is None:
        raise NotFound(f"Application {org}/{name} has no model version {number}.")
    return found


def batch(request: Request, org: str, name: str, number: int, verb: str = access.SEE) -> Batch:
    """Raises NotFound, Forbidden."""
    found = batches.by_number(application(request, org, name, verb), number)
    if found is None:
        raise NotFound(f"Application {org}/{name} has no batch {number}.")
    return found


def learning_run(request: Request, id_: UUID, verb: str = access.SEE) -> LearningRun:
    """Raises NotFound, Forbidden."""
    subject = f"learning run {id_}"
    found = learning_runs.by_id(id_)
    if found is None:
        raise NotFound(f"There is no {subject}, or it is not yours.")
    access.require(request.auth, verb, found.application.organisation.slug, subject=subject)
    return found
