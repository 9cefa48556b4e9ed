"""What may be set, where, and what is said of a value that is not accepted."""

from pathlib import Path

import pytest

from myapp.infrastructure.api.options import ApiOptions
from myapp.infrastructure.database.options import StorageOptions
from myapp.infrastructure.server.options import ConnectionOptions
from myapp.settings import InvalidSettings, Settings, load_settings, masked

SECRET = "s3cr3t"

_SERVER = f"postgresql://me:{SECRET}@db.example.org:5432/todo?sslmode=verify-full"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without a file .env, and a user without any data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path


def settings_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """Answer the settings that these variables make, besides a file .env."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def complaints_about(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    """Answer the lines that say what is wrong with these variables."""
    with pytest.raises(InvalidSettings) as caught:
        settings_with(monkeypatch, **variables)
    return str(caught.value).split("\n")


def test_everything_has_a_default(folder: Path) -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.log_level, settings.api_prefix) == ("INFO", "")
    assert settings.storage.startswith(f"pickle:///{folder}/home/")
    assert settings.storage.endswith("/todoapp")


def test_the_default_storage_is_among_the_data_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_with(monkeypatch, XDG_DATA_HOME="/data/of/user")
    assert settings.storage == "pickle:////data/of/user/todoapp"


@pytest.mark.parametrize(
    ("variables", "storage"),
    [
        ({"TODOAPP_STORAGE_URL": "pickle:///todos"}, "pickle:///todos"),
        ({"TODOAPP_STORAGE_URL": "pickle:////srv/todos"}, "pickle:////srv/todos"),
        ({"TODOAPP_STORAGE_URL": "sqlite:///todo.db"}, "sqlite:///todo.db"),
        ({"TODOAPP_STORAGE_URL": "sqlite:////srv/my todo.db"}, "sqlite:////srv/my todo.db"),
        ({"TODOAPP_STORAGE_URL": _SERVER}, _SERVER),
        ({"TODOAPP_STORAGE_DIR": "todos"}, "pickle:///todos"),
        ({"TODOAPP_STORAGE_DIR": "/srv/todos"}, "pickle:////srv/todos"),
        ({"TODOAPP_STORAGE_DIR": "/srv/my todos"}, "pickle:////srv/my todos"),
    ],
)
def test_the_storage_is_set_by_url_or_by_folder(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], storage: str
) -> None:
    assert settings_with(monkeypatch, **variables).storage == storage


def test_how_a_database_is_used_has_defaults() -> None:
    assert load_settings().storage_options == StorageOptions(
        pool_size=10, statement_timeout=10, connection_timeout=5
    )


def test_how_a_database_is_used_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(
        monkeypatch,
        TODOAPP_POOL_SIZE="3",
        TODOAPP_STATEMENT_TIMEOUT="0.5",
        TODOAPP_CONNECTION_TIMEOUT="2",
    )
    assert settings.storage_options == StorageOptions(
        pool_size=3, statement_timeout=0.5, connection_timeout=2
    )


def test_what_requests_and_connections_may_do_has_the_defaults_of_both() -> None:
    assert load_settings().api_options == ApiOptions()
    assert load_settings().connection_options == ConnectionOptions()


def test_what_requests_may_do_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(
        monkeypatch,
        TODOAPP_API_PREFIX="/api",
        TODOAPP_ALLOWED_HOSTS="Todo.example.org, *.example.net,[::1] localhost",
        TODOAPP_CORS_ORIGINS="https://App.example.org,http://localhost:3000",
        TODOAPP_MAX_REQUESTS="5",
        TODOAPP_MAX_QUERY_BYTES="100",
        TODOAPP_MAX_BODY_BYTES="1000",
    )
    assert settings.api_options == ApiOptions(
        prefix="/api",
        allowed_hosts=("todo.example.org", "*.example.net", "[::1]", "localhost"),
        cors_origins=("https://app.example.org", "http://localhost:3000"),
        max_requests=5,
        max_query_bytes=100,
        max_body_bytes=1000,
    )


def test_what_connections_may_do_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(
        monkeypatch,
        TODOAPP_MAX_CONNECTIONS="7",
        TODOAPP_MAX_HEADER_BYTES="8000",
        TODOAPP_HEADER_TIMEOUT="1",
        TODOAPP_BODY_TIMEOUT="2.5",
        TODOAPP_SEND_TIMEOUT="3",
        TODOAPP_KEEP_ALIVE_TIMEOUT="4",
        TODOAPP_TRUSTED_PROXIES="10.0.0.0/8, ::1, 192.0.2.7",
    )
    assert settings.connection_options == ConnectionOptions(
        max_connections=7,
        max_header_bytes=8000,
        header_timeout=1,
        body_timeout=2.5,
        send_timeout=3,
        keep_alive_timeout=4,
        trusted_proxies=("10.0.0.0/8", "::1/128", "192.0.2.7/32"),
    )


def test_the_default_port_of_an_origin_is_left_out_as_browsers_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_with(
        monkeypatch, TODOAPP_CORS_ORIGINS="https://a:443 http://b:80 http://c:443 https://d:80"
    )
    assert settings.cors_origins == ("https://a", "http://b", "http://c:443", "https://d:80")


def test_hosts_may_be_any(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_with(monkeypatch, TODOAPP_ALLOWED_HOSTS="*").allowed_hosts == ("*",)


def test_a_folder_may_be_given_from_the_home_of_the_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with(monkeypatch, TODOAPP_STORAGE_DIR="~/todos")
    assert settings.storage == f"pickle:///{folder}/home/todos"


def test_a_storage_set_by_url_and_by_folder_has_to_be_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (line,) = complaints_about(
        monkeypatch, TODOAPP_STORAGE_URL="pickle:///a", TODOAPP_STORAGE_DIR="b"
    )
    assert "TODOAPP_STORAGE_URL" in line and "TODOAPP_STORAGE_DIR" in line
    assert "choose" in line


def test_a_choice_is_asked_for_even_if_one_of_the_two_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = complaints_about(
        monkeypatch, TODOAPP_STORAGE_URL="nonsense", TODOAPP_STORAGE_DIR="b"
    )
    assert any(line.startswith("TODOAPP_STORAGE_URL=nonsense: ") for line in lines)
    assert any("choose" in line for line in lines)


def test_a_storage_has_to_be_chosen_wherever_it_is_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("TODOAPP_STORAGE_DIR=b\n")
    (line,) = complaints_about(monkeypatch, TODOAPP_STORAGE_URL="pickle:///a")
    assert "choose" in line


@pytest.mark.parametrize("port", ["0", "1", "8080", "65535"])
def test_a_port_is_any_there_is(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    assert settings_with(monkeypatch, TODOAPP_PORT=port).port == int(port)


@pytest.mark.parametrize("host", ["localhost", "::1", "0.0.0.0", "todo.example.org"])
def test_a_host_is_a_name_or_an_address(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert settings_with(monkeypatch, TODOAPP_HOST=host).host == host


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
def test_a_log_level_is_one_of_five_in_any_case(
    monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    for spelling in (level, level.lower(), level.title()):
        assert settings_with(monkeypatch, TODOAPP_LOG_LEVEL=spelling).log_level == level


def test_the_older_spelling_of_the_log_level_still_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings_with(monkeypatch, TODO_APP_LOG_LEVEL="debug").log_level == "DEBUG"


def test_the_older_spelling_of_the_log_level_yields(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(monkeypatch, TODO_APP_LOG_LEVEL="DEBUG", TODOAPP_LOG_LEVEL="ERROR")
    assert settings.log_level == "ERROR"


@pytest.mark.parametrize("prefix", ["/api", "/api/v1", "/a-b_c.d~e", "/.a/..b"])
def test_a_prefix_is_a_path_without_a_slash_at_its_end(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    assert settings_with(monkeypatch, TODOAPP_API_PREFIX=prefix).api_prefix == prefix


@pytest.mark.parametrize(
    "name",
    ["STORAGE_URL", "STORAGE_DIR", "HOST", "PORT", "LOG_LEVEL", "LOG_FILE", "API_PREFIX"],
)
def test_an_empty_variable_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    default = load_settings()
    assert settings_with(monkeypatch, **{f"TODOAPP_{name}": ""}) == default


def test_variables_of_others_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    default = load_settings()
    others = {"PORT": "1", "HOST": "other", "LOG_LEVEL": "DEBUG", "TODO_APP_PORT": "2"}
    assert settings_with(monkeypatch, **others, TODOAPP_UNKNOWN="3") == default


def test_a_file_env_in_the_working_folder_counts_too(folder: Path) -> None:
    (folder / ".env").write_text(
        "# how this machine serves\n"
        "TODOAPP_PORT=9000\n"
        "TODOAPP_STORAGE_DIR='my todos'\n"
        "TODO_APP_LOG_LEVEL=debug\n"
        "OTHER=1\n"
    )
    settings = load_settings()
    assert (settings.port, settings.log_level) == (9000, "DEBUG")
    assert settings.storage == "pickle:///my todos"


def test_the_environment_wins_over_the_file_env(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("TODOAPP_PORT=9000\nTODOAPP_HOST=localhost\n")
    settings = settings_with(monkeypatch, TODOAPP_PORT="9001")
    assert (settings.port, settings.host) == (9001, "localhost")


def test_a_file_env_that_is_no_text_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_bytes(b"TODOAPP_HOST=\xff\n")
    (line,) = complaints_about(monkeypatch)
    assert ".env" in line and "UTF-8" in line


def test_a_file_env_that_is_a_folder_is_named(folder: Path) -> None:
    (folder / ".env").mkdir()
    with pytest.raises(InvalidSettings, match=r"\.env is a folder"):
        load_settings()


def test_a_wrong_value_in_the_file_env_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("TODOAPP_PORT=http\n")
    (line,) = complaints_about(monkeypatch)
    assert line.startswith("TODOAPP_PORT=http: ")


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("TODOAPP_STORAGE_URL", "nonsense", "pickle:///"),
        ("TODOAPP_STORAGE_URL", "pickle:///", "pickle:///"),
        ("TODOAPP_STORAGE_URL", "pickle://todos", "pickle:///"),
        ("TODOAPP_STORAGE_URL", "sqlite:///", "sqlite:///file.db"),
        ("TODOAPP_STORAGE_URL", "sqlite://todo.db", "sqlite:///file.db"),
        ("TODOAPP_STORAGE_URL", "postgresql://host", "postgresql://user:password@"),
        ("TODOAPP_STORAGE_URL", "postgresql://host/", "postgresql://user:password@"),
        ("TODOAPP_STORAGE_URL", "postgresql://host:99999/db", "postgresql://user:password@"),
        ("TODOAPP_STORAGE_URL", "postgres://host/db", "postgresql://user:password@"),
        ("TODOAPP_POOL_SIZE", "0", "from 1 to 1000"),
        ("TODOAPP_POOL_SIZE", "1001", "from 1 to 1000"),
        ("TODOAPP_POOL_SIZE", "many", "from 1 to 1000"),
        ("TODOAPP_STATEMENT_TIMEOUT", "0", "a number of seconds above 0"),
        ("TODOAPP_STATEMENT_TIMEOUT", "inf", "a number of seconds above 0"),
        ("TODOAPP_CONNECTION_TIMEOUT", "-1", "a number of seconds above 0"),
        ("TODOAPP_CONNECTION_TIMEOUT", "nan", "a number of seconds above 0"),
        ("TODOAPP_STORAGE_URL", "/srv/todos", "pickle:///"),
        ("TODOAPP_STORAGE_URL", "mysql://host/db", "pickle:///"),
        ("TODOAPP_STORAGE_DIR", "~no-such-user/todos", "home directory"),
        ("TODOAPP_LOG_FILE", "~no-such-user/todo.log", "home directory"),
        ("TODOAPP_PORT", "http", "from 0 to 65535"),
        ("TODOAPP_PORT", "-1", "from 0 to 65535"),
        ("TODOAPP_PORT", "65536", "from 0 to 65535"),
        ("TODOAPP_PORT", "80.5", "from 0 to 65535"),
        ("TODOAPP_LOG_LEVEL", "loud", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("TODOAPP_LOG_LEVEL", "10", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("TODOAPP_LOG_FORMAT", "xml", "json, text or auto"),
        ("TODOAPP_ACCESS_LOG", "loud", "true or false"),
        ("TODOAPP_TRACING", "2", "true or false"),
        ("TODOAPP_WORKERS", "0", "from 1 to 256"),
        ("TODOAPP_MAX_CONNECTIONS", "0", "from 1 to 1000000"),
        ("TODOAPP_MAX_REQUESTS", "0", "from 1 to 1000000"),
        ("TODOAPP_MAX_HEADER_BYTES", "0", "from 1 to 16777216"),
        ("TODOAPP_MAX_QUERY_BYTES", "-1", "from 1 to 16777216"),
        ("TODOAPP_MAX_BODY_BYTES", "1.5", "from 1 to 1073741824"),
        ("TODOAPP_HEADER_TIMEOUT", "0", "a number of seconds above 0"),
        ("TODOAPP_BODY_TIMEOUT", "-1", "a number of seconds above 0"),
        ("TODOAPP_SEND_TIMEOUT", "inf", "a number of seconds above 0"),
        ("TODOAPP_KEEP_ALIVE_TIMEOUT", "nan", "a number of seconds above 0"),
        ("TODOAPP_SHUTDOWN_TIMEOUT", "0", "a number of seconds above 0"),
        ("TODOAPP_SHUTDOWN_DELAY", "-1", "a number of seconds from 0"),
        ("TODOAPP_ALLOWED_HOSTS", "localhost:8080", "without ports"),
        ("TODOAPP_ALLOWED_HOSTS", "http://localhost", "names of hosts"),
        ("TODOAPP_ALLOWED_HOSTS", "::1", "names of hosts"),
        ("TODOAPP_ALLOWED_HOSTS", "a.*.org", "names of hosts"),
        ("TODOAPP_CORS_ORIGINS", "*", "origins such as https://"),
        ("TODOAPP_CORS_ORIGINS", "https://app.example.org/", "origins such as https://"),
        ("TODOAPP_CORS_ORIGINS", "null", "origins such as https://"),
        ("TODOAPP_TRUSTED_PROXIES", "*", "10.0.0.0/8"),
        ("TODOAPP_TRUSTED_PROXIES", "10.0.0.1/8", "10.0.0.0/8"),
        ("TODOAPP_TRUSTED_PROXIES", "proxy", "10.0.0.0/8"),
        ("TODOAPP_API_PREFIX", "api", "/api"),
        ("TODOAPP_API_PREFIX", "/api/", "/api"),
        ("TODOAPP_API_PREFIX", "/", "/api"),
        ("TODOAPP_API_PREFIX", "//api", "/api"),
        ("TODOAPP_API_PREFIX", "/..", "no . or .."),
        ("TODOAPP_API_PREFIX", "/.", "no . or .."),
        ("TODOAPP_API_PREFIX", "/a/../b", "no . or .."),
        ("TODOAPP_API_PREFIX", "/a?b", "/api"),
        ("TODOAPP_API_PREFIX", "/a b", "/api"),
        ("TODOAPP_API_PREFIX", "https://host/api", "/api"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_and_what_is_accepted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, accepted: str
) -> None:
    (line,) = complaints_about(monkeypatch, **{name: value})
    assert line.startswith(f"{name}={value}: ")
    assert accepted in line.removeprefix(f"{name}={value}: ")


def test_a_wrong_value_under_the_older_spelling_is_named_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (line,) = complaints_about(monkeypatch, TODO_APP_LOG_LEVEL="loud")
    assert "TODO_APP_LOG_LEVEL" in line
    assert "loud" in line.lower()


def test_all_wrong_values_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = complaints_about(
        monkeypatch,
        TODOAPP_STORAGE_URL="nonsense",
        TODOAPP_PORT="http",
        TODOAPP_LOG_LEVEL="LOUD",
        TODOAPP_API_PREFIX="api",
    )
    assert {line.split("=")[0] for line in lines} == {
        "TODOAPP_STORAGE_URL",
        "TODOAPP_PORT",
        "TODOAPP_LOG_LEVEL",
        "TODOAPP_API_PREFIX",
    }
    assert len(lines) == 4


def test_each_wrong_one_of_several_values_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = complaints_about(monkeypatch, TODOAPP_ALLOWED_HOSTS="good.org a:1, b:2")
    assert [line.partition(": ")[0] for line in lines] == [
        "TODOAPP_ALLOWED_HOSTS=a:1",
        "TODOAPP_ALLOWED_HOSTS=b:2",
    ]


@pytest.mark.parametrize("value", ["80\n80", "80\r\n80", "a\nTODOAPP_HOST=b", "a\x1b[2Jb"])
def test_a_wrong_value_takes_one_line_whatever_it_contains(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (line,) = complaints_about(monkeypatch, TODOAPP_PORT=value)
    assert line.startswith("TODOAPP_PORT=")
    assert line.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://user:{SECRET}@host:5432/db",
        f"mysql://user:{SECRET}@host",
        f"mysql://:{SECRET}@host/db",
        f"mysql://user:p@{SECRET}@host/db",
        f"mysql://user:{SECRET}/@host/db",
        f"mysql://user:a:{SECRET}@host/db",
        f"mysql://user:a\n{SECRET}@host/db",
        f"mysql:/user:{SECRET}@host/db",
        f"mysql//user:{SECRET}@host/db",
        f"user:{SECRET}@host/db",
        f"mysql://host/db?password={SECRET}",
        f"mysql://host/db?user=me&password={SECRET}&ssl=true",
    ],
)
def test_a_secret_is_masked_in_what_is_said(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    lines = complaints_about(monkeypatch, TODOAPP_STORAGE_URL=url)
    assert SECRET not in "\n".join(lines)
    assert "host" in "\n".join(lines), "the rest of the value is still told"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://user:secret@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("pickle:////srv/todos", "pickle:////srv/todos"),
        ("8080", "8080"),
    ],
)
def test_masking_changes_the_password_of_a_url_and_nothing_else(text: str, shown: str) -> None:
    assert masked(text) == shown
