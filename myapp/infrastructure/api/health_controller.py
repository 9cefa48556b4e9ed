"""Whether the service lives, and whether it can do its work."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from myapp.domain.errors import StorageFull, StorageUnavailable
from myapp.infrastructure.api.dependencies import Service
from myapp.infrastructure.api.problems import STORAGE_UNAVAILABLE, answers

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """Good news; bad news is a problem."""

    status: str = Field(examples=["ready"])


@router.get("/live", responses=answers())
async def live() -> Health:
    """Answer as long as the process does: if it does not, restart it."""
    return Health(status="live")


@router.get("/ready", responses=answers(STORAGE_UNAVAILABLE))
async def ready(service: Service) -> Health:
    """Answer whether changes can be stored: if not, send requests elsewhere meanwhile."""
    try:
        await service.check_ready()
    except StorageFull as error:
        raise StorageUnavailable(str(error)) from error
    return Health(status="ready")
