"""What is counted and measured, and how it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from myapp.domain.errors import StorageUnavailable, TodoEntryNotFound
from myapp.domain.todo_entry_repository import TodoEntryRepository, TodoQuery
from myapp.domain.todo_history import TodoHistory
from myapp.infrastructure.api.handled_request import HandledRequest
from myapp.infrastructure.database.archive import Status
from myapp.infrastructure.database.running_storage import Pool, RunningStorage, StorageUse
from myapp.infrastructure.metrics.metrics import Metrics
from myapp.infrastructure.metrics.workers import WorkerPlace
from tests.contract.entries import NOON, new_entry
from tests.in_memory_todo_entry_repository import InMemoryTodoEntryRepository

_ID = UUID(int=7)

_openmetrics_families: Callable[[str], Iterable[Metric]] = (
    openmetrics.text_string_to_metric_families
)


class FakeStorage(InMemoryTodoEntryRepository, RunningStorage):
    """Has told what it is to tell, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def status(self) -> Status:
        self.asked += 1
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return Status(entries=3, revision=17, size=4_096)

    def use(self) -> StorageUse:
        return StorageUse(commits={1: 5, 3: 2}, dead=512, pool=Pool(10, 4, 2))


def handled(
    route: str | None = "/todo", method: str = "GET", status: int = 200, seconds: float = 0.003
) -> HandledRequest:
    """Answer a request that was handled."""
    return HandledRequest(method, route, None, None, status, seconds, 0, "id", None, None)


def serve(metrics: Metrics, *requests: HandledRequest) -> None:
    """Let requests come and go."""
    for request in requests:
        metrics.requests.begin()
        metrics.requests.end(request)


Samples = dict[tuple[str, ...], float]
"""The values by name and values of labels, the latter in the order of their names."""


async def told(metrics: Metrics) -> Samples:
    """Answer all that is told of the service itself."""
    content, _ = await metrics.render("")
    return samples(content.decode())


def samples(text: str) -> Samples:
    """Answer the values of a text, of which there is one each."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def of(name: str, found: Samples) -> dict[tuple[str, ...], float]:
    """Answer the values of one name by those of their labels."""
    return {key[1:]: value for key, value in found.items() if key[0] == name}


async def test_requests_are_counted_by_template_method_and_status() -> None:
    metrics = Metrics("1.2.3")

    serve(metrics, handled(), handled(), handled(status=503), handled("/tags"))

    assert of("todo_http_requests_total", await told(metrics)) == {
        ("GET", "/todo", "200"): 2,
        ("GET", "/todo", "503"): 1,
        ("GET", "/tags", "200"): 1,
    }


async def test_a_duration_counts_in_every_bucket_that_it_fits_in() -> None:
    metrics = Metrics("1.2.3")

    serve(metrics, handled(seconds=0.0025), handled(seconds=0.003), handled(seconds=60))

    found = await told(metrics)
    buckets = of("todo_http_request_duration_seconds_bucket", found)
    assert [buckets["0.001", "GET", "/todo"], buckets["0.0025", "GET", "/todo"]] == [0, 1]
    assert [buckets["10.0", "GET", "/todo"], buckets["+Inf", "GET", "/todo"]] == [2, 3]
    assert found["todo_http_request_duration_seconds_count", "GET", "/todo"] == 3
    total = found["todo_http_request_duration_seconds_sum", "GET", "/todo"]
    assert total == pytest.approx(60.0055)


async def test_whatever_clients_think_up_makes_no_new_series() -> None:
    metrics = Metrics("1.2.3")

    serve(metrics, *(handled(None, f"X{number}", 404) for number in range(100)))

    counted = of("todo_http_requests_total", await told(metrics))
    assert counted == {("other", "unmatched", "404"): 100}


async def test_requests_are_in_flight_until_they_end_and_event_streams_stand_apart() -> None:
    metrics = Metrics("1.2.3")
    metrics.watch_streams(lambda: 2)
    for _ in range(5):
        metrics.requests.begin()
    metrics.requests.end(handled())

    found = await told(metrics)

    assert found["todo_http_requests_in_flight",] == 2
    assert found["todo_event_streams",] == 2


_QUESTIONS: dict[str, Callable[[TodoEntryRepository], Awaitable[object]]] = {
    "get": lambda repository: repository.get(_ID),
    "last_states": lambda repository: repository.last_states([_ID]),
    "find": lambda repository: repository.find(TodoQuery()),
    "save": lambda repository: repository.save(new_entry(id=UUID(int=8)).complete(at=NOON)),
    "receipt": lambda repository: repository.receipt("key"),
    "tags": lambda repository: repository.tags(),
    "check": lambda repository: repository.check(),
    "changes": lambda repository: repository.history.changes(0, limit=1),
    "changes_of": lambda repository: repository.history.changes_of(_ID, limit=1),
    "change": lambda repository: repository.history.change(1),
    "entry_at": lambda repository: repository.history.entry_at(_ID, 1),
    "forget": lambda repository: repository.history.forget(keep=1, receipts_before=NOON),
}


def test_all_that_a_storage_can_be_asked_is_asked_here() -> None:
    questions = TodoEntryRepository.__abstractmethods__ | TodoHistory.__abstractmethods__

    assert set(_QUESTIONS) == questions - {"history", "revision"}


@pytest.mark.parametrize("name", _QUESTIONS)
async def test_what_the_storage_is_asked_is_counted_and_answered_as_it_does(name: str) -> None:
    metrics, repository = Metrics("1.2.3"), InMemoryTodoEntryRepository()
    await repository.save(new_entry(id=_ID))
    measured = metrics.measured(repository)

    answer = await _QUESTIONS[name](measured)

    if name != "save":
        assert answer == await _QUESTIONS[name](repository)
    found = await told(metrics)
    assert of("todo_storage_operations_total", found) == {(name, "ok"): 1}
    assert found["todo_storage_operation_duration_seconds_count", name] == 1


async def test_what_followers_ask_for_all_the_time_hides_nothing_else() -> None:
    metrics = Metrics("1.2.3")
    measured = metrics.measured(InMemoryTodoEntryRepository())

    assert await measured.history.revision() == 0

    assert of("todo_storage_operations_total", await told(metrics)) == {}


class _FailingRepository(InMemoryTodoEntryRepository):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    async def check(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TodoEntryNotFound(_ID), "TodoEntryNotFound"),
        (StorageUnavailable("It is gone."), "StorageUnavailable"),
        (RuntimeError("a mistake"), "failed"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
async def test_what_the_storage_does_not_answer_is_counted_by_the_reason(
    error: BaseException, outcome: str
) -> None:
    metrics = Metrics("1.2.3")
    measured = metrics.measured(_FailingRepository(error))

    with pytest.raises(type(error)) as raised:
        await measured.check()

    assert raised.value is error
    counted = of("todo_storage_operations_total", await told(metrics))
    assert counted == {("check", outcome): 1}


async def test_a_storage_tells_what_it_holds_and_how_it_is_used() -> None:
    metrics = Metrics("1.2.3")
    metrics.measured(FakeStorage())

    found = await told(metrics)

    assert found["todo_storage_up",] == 1
    assert found["todo_entries",] == 3
    assert found["todo_revision",] == 17
    assert found["todo_storage_bytes",] == 4_096
    assert found["todo_storage_dead_bytes",] == 512
    assert found["todo_storage_pool_connections_max",] == 10
    assert found["todo_storage_pool_connections_in_use",] == 4
    assert found["todo_storage_pool_timeouts_total",] == 2


async def test_commits_tell_how_many_saves_they_have_stored_together() -> None:
    metrics = Metrics("1.2.3")
    metrics.measured(FakeStorage())

    found = await told(metrics)

    buckets = of("todo_storage_commit_saves_bucket", found)
    assert [buckets[bound,] for bound in ("1.0", "2.0", "4.0", "+Inf")] == [5, 5, 7, 7]
    assert found["todo_storage_commit_saves_sum",] == 11


async def test_a_storage_is_asked_once_for_all_who_ask_within_a_second() -> None:
    now = 100.0
    metrics, storage = Metrics("1.2.3", clock=lambda: now), FakeStorage()
    metrics.measured(storage)

    await asyncio.gather(*(told(metrics) for _ in range(5)))
    assert storage.asked == 1
    now += 1
    await told(metrics)
    assert storage.asked == 2


async def test_a_storage_that_fails_keeps_nothing_else_from_being_told() -> None:
    metrics, storage = Metrics("1.2.3"), FakeStorage()
    storage.error = StorageUnavailable("It is gone.")
    metrics.measured(storage)
    serve(metrics, handled())

    found = await told(metrics)

    assert found["todo_storage_up",] == 0
    assert ("todo_entries",) not in found
    assert found["todo_http_requests_total", "GET", "/todo", "200"] == 1


async def test_a_storage_that_does_not_answer_is_not_waited_for() -> None:
    metrics, storage = Metrics("1.2.3"), FakeStorage()
    storage.answers.clear()
    metrics.measured(storage)

    assert (await told(metrics))["todo_storage_up",] == 0


async def test_openmetrics_is_told_to_who_names_it() -> None:
    metrics = Metrics("1.2.3")
    serve(metrics, handled())

    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    content, media_type = await metrics.render(accept)

    assert media_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    names = {family.name for family in _openmetrics_families(content.decode())}
    assert {"todo_http_requests", "todo_http_request_duration_seconds", "todo_build"} <= names


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "text/plain;version=x", ",;=\x00"])
async def test_all_others_are_told_as_prometheus_has_always_had_it(accept: str) -> None:
    content, media_type = await Metrics("1.2.3").render(accept)

    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    assert of("todo_build_info", samples(content.decode())) != {}


async def test_a_version_that_is_no_version_is_not_looked_at() -> None:
    _, media_type = await Metrics("1.2.3").render("application/openmetrics-text;version=x")

    assert media_type.startswith("application/openmetrics-text; version=1.0.0")


async def test_the_process_is_told_of() -> None:
    found = await told(Metrics("1.2.3"))

    assert found["process_resident_memory_bytes",] > 1_000_000
    assert found["process_open_fds",] > 0
    assert found["process_start_time_seconds",] > 0


@asynccontextmanager
async def _sharing(metrics: Metrics) -> AsyncIterator[None]:
    """Let a worker tell the others, as long as one is in here."""
    task = asyncio.create_task(metrics.share_regularly())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Service:
    """Workers that share a folder and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self._folder = folder

    def worker(self, number: int) -> Metrics:
        """Answer a worker that has just been started."""
        place = WorkerPlace(self._folder, number)
        metrics = Metrics("1.2.3", place, clock=lambda: self.now)
        metrics.watch_streams(lambda: number)
        return metrics


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service of several workers."""
    return Service(tmp_path)


async def test_any_worker_tells_what_all_have_counted(service: Service) -> None:
    one, two = service.worker(1), service.worker(2)
    serve(one, handled(), handled(status=404))
    serve(two, handled(), handled())

    await told(one)
    found = await told(two)

    assert found["todo_http_requests_total", "GET", "/todo", "200"] == 3
    assert found["todo_http_requests_total", "GET", "/todo", "404"] == 1
    assert found["todo_http_request_duration_seconds_count", "GET", "/todo"] == 4
    assert found["todo_event_streams",] == 3
    assert of("todo_http_requests_total", await told(one)) == of(
        "todo_http_requests_total", found
    )


async def test_a_worker_tells_the_others_without_being_asked(service: Service) -> None:
    one, two = service.worker(1), service.worker(2)
    serve(one, handled())

    async with _sharing(one):
        while ("todo_http_requests_total", "GET", "/todo", "200") not in await told(two):
            await asyncio.sleep(0.01)


async def test_processes_are_told_apart_by_the_number_of_their_worker(service: Service) -> None:
    one, two = service.worker(1), service.worker(2)

    await told(one)

    memory = of("process_resident_memory_bytes", await told(two))
    assert set(memory) == {("1",), ("2",)}


async def test_what_was_counted_outlives_a_worker_and_what_is_does_not(
    service: Service,
) -> None:
    one, two = service.worker(1), service.worker(2)
    serve(one, handled())
    await told(one)
    service.now += 6  # as long as nobody hears of one that was killed

    found = await told(two)

    assert found["todo_http_requests_total", "GET", "/todo", "200"] == 1
    assert found["todo_event_streams",] == 2
    assert set(of("process_open_fds", found)) == {("2",)}


async def test_a_worker_that_ends_is_at_once_no_more(service: Service) -> None:
    one, two = service.worker(1), service.worker(2)
    async with _sharing(one):
        await told(one)
        serve(one, handled())

    found = await told(two)

    assert found["todo_http_requests_total", "GET", "/todo", "200"] == 1
    assert found["todo_event_streams",] == 2
    assert set(of("process_open_fds", found)) == {("2",)}


async def test_a_worker_in_the_place_of_another_goes_on_from_what_that_had_counted(
    service: Service,
) -> None:
    serve(former := service.worker(1), handled(), handled())
    await told(former)

    serve(successor := service.worker(1), handled())
    found = await told(successor)

    assert found["todo_http_requests_total", "GET", "/todo", "200"] == 3
    assert (await told(service.worker(2)))[
        "todo_http_requests_total", "GET", "/todo", "200"
    ] == 3


async def test_a_worker_whose_folder_is_gone_tells_of_itself(tmp_path: Path) -> None:
    metrics = Metrics("1.2.3", WorkerPlace(tmp_path / "gone", 1))
    serve(metrics, handled())

    found = await told(metrics)

    assert found["todo_http_requests_total", "GET", "/todo", "200"] == 1
    assert found["process_open_fds", "1"] > 0


async def test_what_a_worker_could_not_tell_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "1.json").mkdir()  # which nothing can take the place of
    await told(Metrics("1.2.3", WorkerPlace(tmp_path, 1)))
    assert [path.name for path in tmp_path.iterdir()] == ["1.json"]


async def test_one_process_alone_has_nobody_to_tell() -> None:
    await Metrics("1.2.3").share_regularly()
