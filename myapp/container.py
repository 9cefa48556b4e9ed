"""Which object needs which."""

from dependency_injector import containers, providers

from myapp import __version__
from myapp.application.change_feed import ChangeFeed
from myapp.application.message_bus import MessageBus
from myapp.application.readiness import Readiness
from myapp.application.todo_service import TodoService
from myapp.domain.todo_entry_repository import TodoEntryRepository
from myapp.infrastructure.database.storage import open_storage
from myapp.infrastructure.identity import UuidFactory, utc_now
from myapp.infrastructure.metrics.metrics import Metrics
from myapp.infrastructure.metrics.workers import WorkerPlace
from myapp.settings import Settings


class ApplicationContainer(containers.DeclarativeContainer):
    """The objects of one application; the lifespan hands in the opened repository."""

    settings = providers.Dependency(instance_of=Settings)
    worker_place: providers.Provider[WorkerPlace | None] = providers.Object(None)
    metrics = providers.Singleton(Metrics, __version__, worker_place)
    storage = providers.Factory(
        open_storage, settings.provided.storage, settings.provided.storage_options
    )
    repository: providers.Dependency[TodoEntryRepository] = providers.Dependency()
    new_id = providers.Singleton(UuidFactory)
    message_bus = providers.Singleton(MessageBus)
    change_feed = providers.Singleton(ChangeFeed, repository.provided.history)
    todo_service = providers.Factory(
        TodoService,
        repository=repository,
        now=providers.Object(utc_now),
        new_id=new_id,
        bus=message_bus,
        kept_changes=settings.provided.history,
    )
    readiness = providers.Singleton(Readiness, todo_service.provided.check_ready)
