"""First pages that were asked for lately, since most lists show those again and again."""

from myapp.domain.todo_entry_repository import PAGE_DEFAULT, Page, TodoQuery

_KEPT = 20
_LONGEST = 64 * 1024  # code points of notes on a page: of all that are kept, some megabytes


class KnownPages:
    """Pages as they were at a revision of the store, which is what they have to be asked for.

    Further pages are not kept: each is asked for once by who goes through them, and from
    anywhere there are too many.
    """

    def __init__(self) -> None:
        self._pages: dict[TodoQuery, Page] = {}

    def get(self, query: TodoQuery) -> Page | None:
        """Answer the page as it was found last, if it is kept."""
        return self._pages.get(query)

    def keep(self, query: TodoQuery, page: Page) -> None:
        """Keep what was found, if it is a first page, and none that takes much memory."""
        if query.start is not None or len(page.entries) > PAGE_DEFAULT:
            return
        if sum(len(entry.notes) for entry in page.entries) > _LONGEST:
            return
        if len(self._pages) >= _KEPT:
            self._pages.clear()
        self._pages[query] = page

    def clear(self) -> None:
        """Keep none, since something has changed."""
        self._pages.clear()
