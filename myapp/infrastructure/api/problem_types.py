"""Every type of problem that a client may meet, in one table (RFC 9457)."""

from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic.config import JsonDict

from myapp.domain.todo import TAGS_MOST
from myapp.infrastructure.api.todo_schema import EXAMPLE_ENTRY


@dataclass(frozen=True, slots=True, eq=False)
class ProblemType:
    """A kind of problem: its name, its status, what it means and what helps.

    `detail` and `members` are those of an example.
    """

    slug: str
    status: HTTPStatus
    title: str
    explanation: str
    detail: str
    members: JsonDict = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """The URI reference that names the type and answers its explanation."""
        return f"/problems/{self.slug}"

    def common_members(self, instance: str, detail: str) -> dict[str, object]:
        """Answer what every problem has, for one of this type."""
        return {
            "type": self.uri,
            "title": self.title,
            "status": self.status,
            "detail": detail,
            "instance": instance,
        }


MALFORMED_REQUEST = ProblemType(
    "malformed-request",
    HTTPStatus.BAD_REQUEST,
    "The request is malformed",
    "The body is not JSON in UTF-8, or nested deeper than any entry; or the path or the"
    " query is not UTF-8 once its percent-encoding is undone; or what was sent is not HTTP/1.1,"
    " or could be taken for more than one thing.",
    "The body is not JSON: Expecting value at line 1, column 1.",
)
CROSS_SITE_REQUEST = ProblemType(
    "cross-site-request",
    HTTPStatus.FORBIDDEN,
    "A page of another site asks for a change",
    "A browser tells that the request comes from a page that is not of this service, and"
    " nobody may change entries without the user's knowing. Whoever runs the service names the"
    " origins whose pages may, in TODOAPP_CORS_ORIGINS.",
    "Pages of https://elsewhere.example may not change anything here.",
)
NOT_FOUND = ProblemType(
    "not-found",
    HTTPStatus.NOT_FOUND,
    "There is nothing at this path",
    "No operation of this service has this path; /docs shows all that have one.",
    "There is nothing at /todoo; see the documentation.",
)
TODO_ENTRY_NOT_FOUND = ProblemType(
    "todo-entry-not-found",
    HTTPStatus.NOT_FOUND,
    "There is no such todo entry",
    "The entry was never stored, or has been removed.",
    "There is no todo entry 0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e.",
)
CHANGE_NOT_FOUND = ProblemType(
    "change-not-found",
    HTTPStatus.NOT_FOUND,
    "There is no such change",
    "No change was stored under this revision.",
    "There is no change under the revision 17.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    HTTPStatus.METHOD_NOT_ALLOWED,
    "The path does not take this method",
    "The Allow header lists the methods that the path takes.",
    "/todo does not take DELETE; it takes GET, HEAD, POST.",
)
REQUEST_TIMEOUT = ProblemType(
    "request-timeout",
    HTTPStatus.REQUEST_TIMEOUT,
    "The request did not arrive in time",
    "The head or the body of the request was not complete after the seconds that the service"
    " waits for it. Nothing was done: send it again.",
    "The body was not complete after 30 seconds.",
)
TOO_MANY_TAGS = ProblemType(
    "too-many-tags",
    HTTPStatus.CONFLICT,
    "The entry has as many tags as it may",
    f"An entry carries {TAGS_MOST} tags at most: take one off before you add another.",
    f"The todo entry 0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e has {TAGS_MOST} tags already.",
)
ID_TAKEN = ProblemType(
    "id-taken",
    HTTPStatus.CONFLICT,
    "There is an entry under this id already",
    "`operation` of the batch is to create an entry under an id that another has. Nothing"
    " was done. Leave the id to the service, or put the entry instead.",
    "Operation 3: There is a todo entry 0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e already.",
    {"operation": 3},
)
ENTRY_CHANGED_SINCE = ProblemType(
    "entry-changed-since",
    HTTPStatus.CONFLICT,
    "The entry has been changed again",
    "Only the last change of an entry can be undone. `after_change` is the entry after the"
    " change that was to be undone, `current` the entry by now; null if it was removed. See"
    " what the entry should be, and write that.",
    "The todo entry 0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e has been changed again since"
    " revision 17.",
    {
        "after_change": EXAMPLE_ENTRY,
        "current": EXAMPLE_ENTRY | {"content": "buy soy milk", "revision": 18},
    },
)
HISTORY_FORGOTTEN = ProblemType(
    "history-forgotten",
    HTTPStatus.GONE,
    "The history is not kept that long",
    "What was asked for is older than the changes that are kept. To follow what happens,"
    " read the list again (GET /todo): its ETag is the revision to follow from.",
    "The changes up to revision 1200 are no longer kept: go on from what is there now.",
)
TODO_ENTRY_CHANGED = ProblemType(
    "todo-entry-changed",
    HTTPStatus.PRECONDITION_FAILED,
    "The entry is not in the state asked for",
    "If-Match names another revision than the stored one: somebody has changed the entry"
    " since. Read it again, and decide anew.",
    "The stored revision is another one for: 0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e.",
)
TODO_ENTRY_EXISTS = ProblemType(
    "todo-entry-exists",
    HTTPStatus.PRECONDITION_FAILED,
    "There is such an entry already",
    "If-None-Match: * asks to create the entry, but not to replace one that is there.",
    "There is a todo entry 0193e5a4-7f3c-7d32-8c5e-4f6a7b8c9d0e already.",
)
CONTENT_TOO_LARGE = ProblemType(
    "content-too-large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "The body is too large",
    "A body has 1 MiB (1,048,576 bytes) at most, unless whoever runs the service has set"
    " another limit: `detail` tells which.",
    "The body has more than 1048576 bytes.",
)
URI_TOO_LONG = ProblemType(
    "uri-too-long",
    HTTPStatus.REQUEST_URI_TOO_LONG,
    "The path or the query is too long",
    "Neither the path nor the query may have more bytes than `detail` tells. Ask for less at"
    " once.",
    "The query has more than 131072 bytes.",
)
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body is not declared as JSON",
    "The Content-Type header has to say that the body is JSON. curl says so with"
    ' -H "Content-Type: application/json".',
    "The body is declared as application/x-www-form-urlencoded; with curl, add"
    ' -H "Content-Type: application/json".',
)
HOST_NOT_ALLOWED = ProblemType(
    "host-not-allowed",
    HTTPStatus.MISDIRECTED_REQUEST,
    "The service does not go by this name",
    "The Host header names a host that is not one of the service's names, as it does when a"
    " page of another site has had its name lead here. Whoever runs the service names its"
    " hosts in TODOAPP_ALLOWED_HOSTS.",
    "'todo.example.org' is none of the hosts in TODOAPP_ALLOWED_HOSTS.",
)
HEADERS_TOO_LARGE = ProblemType(
    "headers-too-large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "The headers are too large, or too many",
    "The head of a request has 100 header fields at most, and 256 KiB unless whoever runs the"
    " service has set another limit.",
    "The head of the request has more than 262144 bytes.",
)
INVALID_INPUT = ProblemType(
    "invalid-input",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The input breaks a rule",
    "`errors` lists what is wrong, each with its place: a pointer into the body, a"
    " parameter of the path or the query, or a header.",
    "#/content: must not be empty",
    {"errors": [{"detail": "must not be empty", "pointer": "#/content"}]},
)
IDEMPOTENCY_KEY_REUSED = ProblemType(
    "idempotency-key-reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The key has named another request",
    "A request with this Idempotency-Key was carried out, and this is not the same one."
    " Take a new key for a new request.",
    "The key '8e03978e-40d5-43e8-bc93-6894a57f9324' has come with another request before.",
)
INTERNAL_ERROR = ProblemType(
    "internal-error",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "The service failed",
    "This is a mistake of the service. Its log tells more under the X-Request-Id that came"
    " with the answer. A change may or may not have been made.",
    "The service failed unexpectedly.",
)
OVERLOADED = ProblemType(
    "overloaded",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The service has too much to do",
    "As many requests are being served, or as many connections are open, as may be at the"
    " same time, and nothing was done; or memory has run out meanwhile, and a change may or"
    " may not have been made: `detail` tells. Try again after the seconds that Retry-After"
    " gives.",
    "As many requests are being served as may be at the same time.",
)
STORAGE_UNAVAILABLE = ProblemType(
    "storage-unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The storage is not ready",
    "Try again after the seconds that Retry-After gives; what was acknowledged before is"
    " safe.",
    "The storage cannot be written now.",
)
STOPPING = ProblemType(
    "stopping",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The service is stopping",
    "This process of the service is about to end, and takes no more work: try again after"
    " the seconds that Retry-After gives, when another may be there. What was acknowledged is"
    " safe.",
    "The service is stopping.",
)
STORAGE_FULL = ProblemType(
    "storage-full",
    HTTPStatus.INSUFFICIENT_STORAGE,
    "The storage is full",
    "There is no space left to store anything; what was acknowledged before is safe.",
    "There is no space left to store anything.",
)

PROBLEM_TYPES = {
    value.slug: value for value in [*vars().values()] if isinstance(value, ProblemType)
}
"""All of them, by what their URIs end in."""

ALWAYS = (
    MALFORMED_REQUEST,
    CROSS_SITE_REQUEST,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    URI_TOO_LONG,
    HOST_NOT_ALLOWED,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    OVERLOADED,
)
"""What any operation may answer; those that only read, no CROSS_SITE_REQUEST."""
