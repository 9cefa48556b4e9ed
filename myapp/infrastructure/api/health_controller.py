"""Whether the service lives, and whether it can do its work."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from myapp.application.readiness import ServiceStopping
from myapp.domain.errors import StorageFull, StorageUnavailable
from myapp.infrastructure.api.dependencies import Ready
from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.problem_types import STOPPING, STORAGE_UNAVAILABLE
from myapp.infrastructure.api.problems import Rejection, answers

router = APIRouter(prefix="/health", tags=["health"], generate_unique_id_function=operation_id)


class Health(BaseModel):
    """Good news; bad news is a problem."""

    status: str = Field(examples=["ready"])


@router.get("/live", responses=answers())
async def live() -> Health:
    """Answer as long as the process does: if it does not, restart it."""
    return Health(status="live")


@router.get("/ready", responses=answers(STORAGE_UNAVAILABLE, STOPPING))
async def ready(readiness: Ready) -> Health:
    """Answer whether changes can be stored: if not, send requests elsewhere meanwhile.

    The storage is tried at most once a second, however many ask. A service that was told to
    stop is not ready from then on.
    """
    try:
        await readiness.check()
    except ServiceStopping as error:
        raise Rejection(STOPPING) from error
    except StorageFull as error:
        raise StorageUnavailable(str(error)) from error
    return Health(status="ready")
