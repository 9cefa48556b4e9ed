# Benchmarks; everything else is in run.sh.
#
#   make bench         compare with others, and write docs/performance.md: an hour and a half
#   make bench-quick   less of all, in less than ten minutes, into artifacts/benchmarks
#
# With ARGS="--only get --contenders ceiling,pickle" and the like only that is measured.

.PHONY: help bench bench-quick

help:
	@sed -n 's/^#   //p' Makefile

bench:
	./run.sh install
	.venv/bin/python -m benchmarks $(ARGS)

bench-quick:
	./run.sh install
	.venv/bin/python -m benchmarks --quick $(ARGS)
