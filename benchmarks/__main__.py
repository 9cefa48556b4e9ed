"""`python -m benchmarks`: the comparison with others."""

import typer

from benchmarks.suite.command import compare

typer.run(compare)
