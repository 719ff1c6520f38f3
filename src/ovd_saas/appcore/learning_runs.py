"""Learning runs: make one due. Floor 2: may use store, files, engines, domain."""

import secrets
from datetime import datetime

from django.db import transaction

from ovd_saas.appcore.executions import LARGEST_SEED, new_id
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import learning, learning_runs, status
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, LearningEvent, LearningRun


class NotLearning(Refusal):
    """The application does not learn: it is execute-only, not enabled, or has no ready release."""

    code = "not_learning"


class AlreadyLearning(Refusal):
    """The application has an open learning run."""

    code = "already_learning"


@transaction.atomic
def submit(*, application: Application, trigger: str, cause: str, reason: str, by: str, now: datetime) -> LearningRun:
    """Afterwards a learning run is queued, the application's learning region is `due`, and AppCore has been told.

    `trigger` is schedule, data, notice, drift or manual; `cause` names what it was, `reason` is a sentence for people,
    `by` an actor. What a notice asked for is answered by this run. Raises NotLearning, AlreadyLearning.
    """
    application = Application.objects.select_for_update(of=("self",)).select_related("release").get(pk=application.pk)
    check_learning(application)
    last = application.learning_runs.order_by("-number").first()
    if application.learning_runs.filter(status__in=learning_runs.OPEN).exists():
        assert last is not None
        raise AlreadyLearning(
            f"Learning run {last.number} of {application.address} is {last.status}. Wait for its end."
        )
    run = LearningRun.objects.create(
        id=new_id(), application=application, number=(last.number if last else 0) + 1, trigger=trigger, cause=cause,
        reason=reason, seed=secrets.randbelow(LARGEST_SEED), created_at=now, created_by=by,
    )  # fmt: skip
    body = {"status": learning_runs.QUEUED, "reason": reason}
    LearningEvent.objects.create(run=run, kind="status", body=body, at=now)
    transitions.move(
        application.pk, "learning", learning.TRIGGER, reason=reason, now=now, source=learning.RESTING, actor=by,
        cause=f"learning-run:{run.number}", noticed_at=None, notice=None,
    )  # fmt: skip
    notify("learning", application=application.pk, run=run.pk)
    return run


def check_learning(application: Application) -> None:
    """Raises NotLearning with the reason; nothing when it may learn. Read it with `select_related("release")`."""
    if application.status != status.ENABLED:
        raise NotLearning(f"{application.address} is {application.status}; it learns when it is enabled.")
    if application.release is None:
        raise NotLearning(f"{application.address} has no ready release. Push one.")
    if not application.release.manifest.get("learn"):
        raise NotLearning(
            f"{application.address} does not learn: its manifest has no table [learn]. It can only be executed."
        )
