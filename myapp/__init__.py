"""A REST service for todos, in three layers: domain, application, infrastructure."""

__version__ = "0.1.0"
