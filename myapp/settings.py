"""What whoever runs the service may set: TODOAPP_* variables, or the same in a file .env."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from myapp.application.todo_service import CHANGES_KEPT
from myapp.infrastructure.api.options import ApiOptions
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.database.storage import check_storage_url, pickle_url
from myapp.infrastructure.server.options import ConnectionOptions

_PREFIX = "TODOAPP_"
_SECRETS = re.compile(r"(^.*?://[^:/@]*:).*(?=@)|^(?!.*://).*(?=@)|(password=)[^&]*", re.DOTALL)
_DAY = 86_400
_SECONDS = f"a number of seconds above 0, and up to {_DAY}"
_COUNT = "a whole number from 1 to {}"
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ORIGIN = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


_T = TypeVar("_T")


def _log_level(name: str) -> str:
    if name.upper() not in _LOG_LEVELS:
        raise ValueError(
            "must be DEBUG, INFO, WARNING, ERROR or CRITICAL (and so must the variable's older"
            " spelling, TODO_APP_LOG_LEVEL)"
        )
    return name.upper()


def _words(text: object) -> object:
    """Answer what commas and white space separate in what an environment variable says."""
    return tuple(text.replace(",", " ").split()) if isinstance(text, str) else text


def _host(name: str) -> str:
    if not _HOST.fullmatch(name.lower()):
        raise ValueError(
            "must be names of hosts, separated by commas and without ports: *.example.org"
            " stands for all below it, * for any name"
        )
    return name.lower()


def _origin(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin.lower()):
        raise ValueError("must be origins such as https://app.example.org, separated by commas")
    scheme, _, place = origin.lower().partition("://")
    return f"{scheme}://{place.removesuffix(_DEFAULT_PORTS[scheme])}"  # as browsers send it


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(
            "must be addresses or networks such as 10.0.0.0/8, separated by commas"
        ) from error


def _whole(most: int, default: int) -> Any:  # as pydantic types what it answers for a default
    return Field(default=default, ge=1, le=most, description=_COUNT.format(most))


def _seconds(default: float) -> Any:  # as above
    return Field(default=default, gt=0, le=_DAY, allow_inf_nan=False, description=_SECONDS)


# What is described where it is used has its default there.
_API, _STORAGE, _CONNECTION = ApiOptions(), StorageOptions(), ConnectionOptions()

Words = Annotated[tuple[_T, ...], NoDecode, BeforeValidator(_words)]


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
    pool_size: int = _whole(1_000, default=_STORAGE.pool_size)
    statement_timeout: float = _seconds(_STORAGE.statement_timeout)
    connection_timeout: float = _seconds(_STORAGE.connection_timeout)
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
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="json, text or auto (text on a terminal, json elsewhere)"
    )
    log_file: Path | None = Field(default=None, description="a file")
    access_log: bool = Field(default=True, description="true or false")
    tracing: bool = Field(default=False, description="true or false")
    workers: int = _whole(256, default=1)
    api_prefix: str = Field(
        default=_API.prefix,
        pattern=r"^(/\.*[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$",
        description="empty, or a path such as /api with no slash at its end, and no . or .. as"
        " a step of it",
    )
    allowed_hosts: Words[Annotated[str, AfterValidator(_host)]] = _API.allowed_hosts
    cors_origins: Words[Annotated[str, AfterValidator(_origin)]] = _API.cors_origins
    trusted_proxies: Words[Annotated[str, AfterValidator(_network)]] = (
        _CONNECTION.trusted_proxies
    )
    max_connections: int = _whole(1_000_000, default=_CONNECTION.max_connections)
    max_requests: int = _whole(1_000_000, default=_API.max_requests)
    max_header_bytes: int = _whole(16_777_216, default=_CONNECTION.max_header_bytes)
    max_query_bytes: int = _whole(16_777_216, default=_API.max_query_bytes)
    max_body_bytes: int = _whole(1_073_741_824, default=_API.max_body_bytes)
    header_timeout: float = _seconds(_CONNECTION.header_timeout)
    body_timeout: float = _seconds(_CONNECTION.body_timeout)
    send_timeout: float = _seconds(_CONNECTION.send_timeout)
    keep_alive_timeout: float = _seconds(_CONNECTION.keep_alive_timeout)
    shutdown_delay: float = Field(
        default=0,
        ge=0,
        le=_DAY,
        allow_inf_nan=False,
        description=f"a number of seconds from 0 to {_DAY}",
    )
    shutdown_timeout: float = _seconds(30)

    @field_validator("storage_dir", "log_file")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        try:
            return path and path.expanduser()
        except RuntimeError as error:  # of a user there is not
            raise ValueError(f"must exist, or be a path that can: {error}") from error

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

    @property
    def api_options(self) -> ApiOptions:
        """What requests may do."""
        return ApiOptions(
            prefix=self.api_prefix,
            allowed_hosts=self.allowed_hosts,
            cors_origins=self.cors_origins,
            max_requests=self.max_requests,
            max_query_bytes=self.max_query_bytes,
            max_body_bytes=self.max_body_bytes,
        )

    @property
    def connection_options(self) -> ConnectionOptions:
        """What connections may do."""
        return ConnectionOptions(
            max_connections=self.max_connections,
            max_header_bytes=self.max_header_bytes,
            header_timeout=self.header_timeout,
            body_timeout=self.body_timeout,
            send_timeout=self.send_timeout,
            keep_alive_timeout=self.keep_alive_timeout,
            trusted_proxies=self.trusted_proxies,
        )


def load_settings() -> Settings:
    """Answer the settings; raises InvalidSettings with everything that is wrong."""
    if Path(".env").is_dir():  # which would be passed over
        raise InvalidSettings("The file .env is a folder: put settings into a file instead.")
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
