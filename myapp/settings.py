"""What whoever runs the service may set: TODOAPP_* variables, or the same in a file .env."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from myapp.application.todo_service import CHANGES_KEPT
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.storage import check_storage_url, pickle_url

_PREFIX = "TODOAPP_"
_SECRETS = re.compile(r"(^.*?://[^:/@]*:).*(?=@)|^(?!.*://).*(?=@)|(password=)[^&]*", re.DOTALL)
_SECONDS = "a number of seconds above 0, and up to 86400"
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _log_level(name: str) -> str:
    if name.upper() not in _LOG_LEVELS:
        raise ValueError(
            "must be DEBUG, INFO, WARNING, ERROR or CRITICAL (and so must the variable's older"
            " spelling, TODO_APP_LOG_LEVEL)"
        )
    return name.upper()


class InvalidSettings(Exception):
    """Some variables have values that are not accepted: a line for each."""


class Settings(BaseSettings):
    """The settings; each description completes the sentence "must be …"."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        validate_by_name=True,
    )

    storage_dir: Path | None = Field(default=None, description="a folder")
    storage_url: Annotated[str, AfterValidator(check_storage_url)] | None = None
    pool_size: int = Field(
        default=10, ge=1, le=1_000, description="a whole number from 1 to 1000"
    )
    statement_timeout: float = Field(
        default=10, gt=0, le=86_400, allow_inf_nan=False, description=_SECONDS
    )
    connection_timeout: float = Field(
        default=5, gt=0, le=86_400, allow_inf_nan=False, description=_SECONDS
    )
    history: int = Field(
        default=CHANGES_KEPT,
        ge=0,
        le=1_000_000_000,
        description="a whole number from 0 to 1000000000",
    )
    host: str = Field(default="127.0.0.1", description="a host name or an address")
    port: int = Field(
        default=8080, ge=0, le=65535, description="a whole number from 0 to 65535"
    )
    log_level: Annotated[str, AfterValidator(_log_level)] = Field(
        default="INFO",
        validation_alias=AliasChoices(f"{_PREFIX}LOG_LEVEL", "TODO_APP_LOG_LEVEL"),
    )
    api_prefix: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="empty, or a path such as /api without a slash at its end",
    )

    @field_validator("storage_dir")
    @classmethod
    def _at_home(cls, folder: Path | None) -> Path | None:
        try:
            return folder and folder.expanduser()
        except RuntimeError as error:  # of a user there is not
            raise ValueError(f"must be a folder that exists or can be made: {error}") from error

    @field_validator("storage_url", mode="before")
    @classmethod
    def _choose_one(cls, url: object, info: ValidationInfo) -> object:
        if url is not None and info.data.get("storage_dir") is not None:
            raise ValueError(f"{_PREFIX}STORAGE_DIR is set too: choose one of the two")
        return url

    @property
    def storage(self) -> str:
        """The URL of the storage: by default a folder among the user's own data."""
        if self.storage_url is not None:
            return self.storage_url
        return pickle_url(self.storage_dir or user_data_path("todoapp"))

    @property
    def storage_options(self) -> StorageOptions:
        """How the storage is used, where it is a database."""
        return StorageOptions(
            pool_size=self.pool_size,
            statement_timeout=self.statement_timeout,
            connection_timeout=self.connection_timeout,
        )


def load_settings() -> Settings:
    """Answer the settings; raises InvalidSettings with everything that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors()]
        raise InvalidSettings("\n".join(lines)) from error
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"The file .env is not UTF-8: {error}") from error


def masked(text: str) -> str:
    """Answer the text in printable characters, without the password of a URL in it."""
    told = _SECRETS.sub(r"\1\2***", text)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in told)


def _line(problem: Mapping[str, Any]) -> str:
    name = str(problem["loc"][0]).removeprefix(_PREFIX).lower()
    if problem["type"] == "value_error":
        rule = str(problem["ctx"]["error"])
    else:
        rule = f"must be {Settings.model_fields[name].description}"
    return f"{_PREFIX}{name.upper()}={masked(str(problem['input']))}: {rule}"
