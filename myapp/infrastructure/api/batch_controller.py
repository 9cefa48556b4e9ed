"""Batches over HTTP: many operations, carried out together or not at all."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from myapp.domain.change import Change
from myapp.infrastructure.api.batch_schema import Batch, BatchParameters
from myapp.infrastructure.api.change_schema import ProspectiveChangeSchema
from myapp.infrastructure.api.dependencies import Service
from myapp.infrastructure.api.idempotency import Key
from myapp.infrastructure.api.json_route import JsonRoute
from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.problem_types import (
    CONTENT_TOO_LARGE,
    ID_TAKEN,
    IDEMPOTENCY_KEY_REUSED,
    INVALID_INPUT,
    STORAGE_FULL,
    STORAGE_UNAVAILABLE,
    TODO_ENTRY_NOT_FOUND,
    TOO_MANY_TAGS,
    UNSUPPORTED_MEDIA_TYPE,
)
from myapp.infrastructure.api.problems import answers

router = APIRouter(
    route_class=JsonRoute, tags=["todo"], generate_unique_id_function=operation_id
)


@router.post(
    "/todo/batch",
    response_model=list[ProspectiveChangeSchema],
    response_description="A change for each entry that is another now, or would be.",
    responses=answers(
        CONTENT_TOO_LARGE,
        ID_TAKEN,
        IDEMPOTENCY_KEY_REUSED,
        INVALID_INPUT,
        STORAGE_FULL,
        STORAGE_UNAVAILABLE,
        TODO_ENTRY_NOT_FOUND,
        TOO_MANY_TAGS,
        UNSUPPORTED_MEDIA_TYPE,
    ),
)
async def carry_out_batch(
    service: Service,
    batch: Batch,
    parameters: Annotated[BatchParameters, Query()],
    key: Key,
) -> Sequence[Change] | Sequence[ProspectiveChangeSchema]:
    """Carry out many operations, one after the other, all of them or none.

    What one does, those after it see; all is stored together, so that each entry changes
    once, whatever was done to it. If one operation fails, the problem tells which, and
    nothing is stored. With `dry_run=true` nothing is stored either way: a change that would
    be made has no revision, and its entry the one it has now (0 if it is new).
    """
    operations = [operation.operation() for operation in batch.operations]
    changes = await service.carry_out(operations, dry_run=parameters.dry_run, key=key)
    if parameters.dry_run:
        return [ProspectiveChangeSchema.of(change) for change in changes]
    return changes
