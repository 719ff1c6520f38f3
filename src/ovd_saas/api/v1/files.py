"""Files of executions: the bytes of inputs and outputs. Floor 3."""

from uuid import UUID

from django.http.response import HttpResponseBase
from ninja import Router

from ovd_saas.api import downloads
from ovd_saas.api.callers import Request
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.store.queries.executions import files_of

router = Router(tags=["executions"])


@router.get(
    "/executions/{uuid:execution_id}/files/{str:digest}",
    summary="Bytes of a file",
    openapi_extra=downloads.DOCUMENTED,
)
def read_file(request: Request, execution_id: UUID, digest: str) -> HttpResponseBase:
    """Only files to which inputs or outputs of this execution refer."""
    execution = lookups.execution(request, execution_id)
    file = files_of(execution).get(digest)
    if file is None:
        raise NotFound(f"Execution {execution_id} has no file {digest}. It may have been taken down.")
    return downloads.answer(request, digest, name=str(file.get("name") or "file"), media_type=str(file["media_type"]))
