"""What controllers are given besides the request."""

from typing import Annotated

from fastapi import Depends, Request

from myapp.application.todo_service import TodoService


def todo_service(request: Request) -> TodoService:
    """Answer the service, which the lifespan has put into the application's state."""
    service: TodoService = request.scope["state"]["todo_service"]
    return service


Service = Annotated[TodoService, Depends(todo_service)]
