"""Editions: a release and a model version that are served together. Floor 2: may use store, domain."""

from ovd_saas.domain import processes, service
from ovd_saas.store.records import Application, Process

RELATED = ("organisation", "release", "upcoming__created_by", "model", "upcoming_model")


def locked(application_id: int) -> Application:
    """The application, with all that an edition consists of, locked until the transaction ends.

    Its runs and batches are locked after it, never before, by whoever moves them on.
    """
    Application.objects.select_for_update().values_list("pk").get(pk=application_id)
    # read by a query of its own: rows joined by one that had to wait are those of before the wait
    return Application.objects.select_related(*RELATED).get(pk=application_id)


def is_served(application: Application) -> bool:
    """Whether a process of the current edition serves or is about to, so that the next edition is to be ready before
    it takes over."""
    if application.service not in (service.WAKING, service.AWAKE):
        return False
    there = Process.objects.filter(application=application, kind=Process.SERVE, condemned="")
    there = there.filter(state__in=(processes.STARTING, processes.READY))
    return there.filter(release=application.release_id, model=application.model_id).exists()


def is_ready(application: Application, release_id: int | None, model_id: int | None) -> bool:
    """Whether a process of that edition takes executions as soon as it is the current one."""
    there = Process.objects.filter(application=application, kind=Process.SERVE, condemned="", state=processes.READY)
    return there.filter(release=release_id, model=model_id).exists()


def may_take_over(application: Application, release_id: int, model_id: int | None) -> bool:
    """Whether an edition differs from the current one, and in nothing but what is upcoming."""
    if (release_id, model_id) == (application.release_id, application.model_id):
        return False
    is_release_wanted = release_id in (application.release_id, application.upcoming_id)
    is_model_new = model_id is not None and model_id == application.upcoming_model_id
    return is_release_wanted and (is_model_new or model_id == application.model_id)
