"""Small parts measured alone, each with the same thousand entries; see conftest.

    python -m pytest benchmarks/micro

So milliseconds of a row are microseconds of an entry, where a row tells nothing else.
"""
