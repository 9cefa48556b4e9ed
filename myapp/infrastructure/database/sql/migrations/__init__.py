"""The schemas of the SQL storage, one after the other; releases name the one they need.

A migration only expands: the release before has to run on its tables, so that services can
be replaced one by one after `myapp storage migrate`. So it may add tables, columns with a
default, and indexes. What nobody needs any more is taken away a release later; that
migration also sets `todo_store.oldest_schema` to the oldest schema whose releases can do
without it, and older releases refuse to start.
"""
