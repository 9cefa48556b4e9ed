"""SQLAlchemy's statements as a driver takes them: a text, and values for its places."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ClauseElement, Dialect, Select
from sqlalchemy.sql.compiler import SQLCompiler

SelectStatement = Select[*tuple[Any, ...]]  # each says what its rows are
Values = Mapping[str, object]
Places = Sequence[object]

_Converter = Callable[[Any], Any]  # whatever the type of a column takes and answers

_KEPT = 2_000


class Statements:
    """Compiles statements for one driver, each once.

    SQLAlchemy's own connections and rows are left out, since a read of one entry took four
    times the processor's time through them.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled = lru_cache(_KEPT)(self._compile)

    def fill(self, statement: ClauseElement, values: Values) -> tuple[str, Places]:
        """Answer the text of a statement, and what is to stand in its places, in order."""
        return self._compiled(statement).fill(values)

    def fill_each(
        self, statement: ClauseElement, values: Sequence[Values]
    ) -> tuple[str, Sequence[Places]]:
        """Answer the text of a statement without lists, and its places for each value."""
        filled = [self.fill(statement, each) for each in values]
        return filled[0][0], [places for _, places in filled]

    def _compile(self, statement: ClauseElement) -> "_Plain | _Listing":
        compiled = self._dialect.statement_compiler(self._dialect, statement)
        return _Listing(compiled) if compiled.post_compile_params else _Plain(compiled)


class _Plain:
    """A statement with a place for each value."""

    def __init__(self, compiled: SQLCompiler) -> None:
        self._text = compiled.string
        self._places = compiled.positiontup or ()
        self._converters = _converters(compiled)
        self._constants = {
            name: bind.value for name, bind in compiled.binds.items() if not bind.required
        }

    def fill(self, values: Values) -> tuple[str, Places]:
        known = {**self._constants, **values}
        for name, convert in self._converters.items():
            known[name] = convert(known[name])
        return self._text, [known[name] for name in self._places]


class _Listing:
    """A statement in which values are lists, with a place for each of what is in them."""

    def __init__(self, compiled: SQLCompiler) -> None:
        self._compiled = compiled
        self._converters = _converters(compiled)

    def fill(self, values: Values) -> tuple[str, Places]:
        expanded = self._compiled.construct_expanded_state({**values})
        known = {**expanded.parameters}
        for name, convert in {**self._converters, **expanded.processors}.items():
            if name in known:
                known[name] = convert(known[name])
        return expanded.statement, [known[name] for name in expanded.positiontup or ()]


def _converters(compiled: SQLCompiler) -> Mapping[str, _Converter]:
    """Answer what makes of a value what the driver takes, by name, where that is another."""
    dialect = compiled.dialect
    found = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect)
        for name, bind in compiled.binds.items()
    }
    return {name: converter for name, converter in found.items() if converter is not None}
