"""Whether the service lives, and whether it can do its work."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from myapp.infrastructure.api.problems import STORAGE_FULL, STORAGE_UNAVAILABLE, answers
from myapp.infrastructure.api.todo_controller import Service

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """Good news; bad news is a problem."""

    status: str = Field(examples=["ready"])


@router.get("/live", responses=answers())
async def live() -> Health:
    """Answer as long as the process does: if it does not, restart it."""
    return Health(status="live")


@router.get("/ready", responses=answers(STORAGE_UNAVAILABLE, STORAGE_FULL))
async def ready(service: Service) -> Health:
    """Answer whether changes can be stored: if not, send requests elsewhere meanwhile."""
    await service.check_ready()
    return Health(status="ready")
