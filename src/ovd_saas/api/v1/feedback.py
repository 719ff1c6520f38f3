"""Feedback: a label for an execution, from which its application learns. Floor 3."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Body
from ovd_saas.api.v1 import lookups
from ovd_saas.api.v1.batches import BatchShape
from ovd_saas.appcore import access, batches, feedback
from ovd_saas.appcore.batches import Sender

router = Router(tags=["data"])


class NewFeedback(Body):
    """What the right answer was."""

    model_config = ConfigDict(json_schema_extra={"example": {"label": "seven"}})

    label: Any = Field(
        description="The value of the field that the manifest calls `label`; or an object with one member for each "
        "field of a sample that it says."
    )


@router.post(
    "/executions/{uuid:execution_id}/feedback",
    response={200: BatchShape, 201: BatchShape},
    summary="Give feedback",
)
def give_feedback(
    request: Request, response: HttpResponse, execution_id: UUID, new: NewFeedback
) -> Status[dict[str, Any]]:
    """Inputs and outputs of the execution, with this label, become a sample: a batch of its own. 200 when the caller
    said so before. Another label replaces the one before, whose sample is taken down unless it was learned already.
    409 for an execution that did not succeed or was taken down."""
    execution = lookups.execution(request, execution_id, verb=access.EXECUTE)
    batch, is_new = feedback.give(
        execution_id=execution_id,
        label=new.label,
        by=request.auth.actor,
        sender=Sender(request.auth.key, request.auth.user_id),
        now=timezone.now(),
    )
    response["Location"] = f"/api/v1/applications/{execution.application.address}/batches/{batch.number}"
    return Status(201 if is_new else 200, batches.view(batch))
