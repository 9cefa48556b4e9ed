"""What operators type: what is answered where, with which exit code."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from myapp.command_line import main
from myapp.infrastructure.database.archive import REVISIONS_APART
from myapp.infrastructure.terminal import FLAWS_SHOWN
from tests.storages import STORAGE_URLS

NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def run(*arguments: str, code: int = 0) -> Result:
    """Run a command that is expected to exit with this code, and answer what it wrote."""
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert (result.exit_code, "Traceback" in result.output) == (code, False), result.output
    return result


def answer(*arguments: str) -> dict[str, object]:
    """Answer the one JSON object that a command writes on standard output."""
    answered: dict[str, object] = json.loads(run(*arguments, "--json").stdout)
    return answered


@pytest.fixture
def two(tmp_path: Path) -> str:
    """The URL of a storage with two entries."""
    url = f"sqlite:///{tmp_path}/two.db"
    (tmp_path / "two.jsonl").write_text('{"content":"a"}\n{"content":"b"}\n')
    run("import", str(tmp_path / "two.jsonl"), "--storage", url)
    return url


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """The URL of a storage that is not there yet."""
    return f"sqlite:///{tmp_path}/empty.db"


def test_status_says_what_a_storage_holds(two: str) -> None:
    status = answer("storage", "status", two)
    assert isinstance(status.pop("size"), int)
    assert status == {
        "storage": two,
        "entries": 2,
        "revision": 2,
        "schema": status["newest_schema"],
        "newest_schema": status["newest_schema"],
    }
    lines = run("storage", "status", two).stdout.splitlines()
    assert lines[:3] == [f"storage        {two}", "entries        2", "revision       2"]


def test_migrate_makes_a_storage_and_names_its_schema(empty: str) -> None:
    migrated = answer("storage", "migrate", empty)
    assert migrated == {
        "storage": empty,
        "schema": answer("storage", "status", empty)["newest_schema"],
    }


def test_check_confirms_a_whole_storage_by_its_digest(two: str, empty: str) -> None:
    checked = answer("storage", "check", two)
    assert (checked["entries"], checked["revision"], checked["problems"]) == (2, 2, [])
    copied = answer("storage", "copy", two, empty)
    assert answer("storage", "check", empty)["digest"] == checked["digest"] == copied["digest"]


def test_check_exits_with_3_if_something_is_wrong(two: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "two.db", isolation_level=None)) as file:
        file.execute("UPDATE todo_store SET entries = 9")
    problems = json.loads(run("storage", "check", two, "--json", code=3).stdout)["problems"]
    assert len(problems) == 1
    assert problems[0] in run("storage", "check", two, code=3).stdout


def test_check_exits_with_3_if_the_database_cannot_be_read(two: str, tmp_path: Path) -> None:
    path = Path(two.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as file:
        (page,) = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'todo_entry'")
        (size,) = file.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as damaged:
        damaged.seek((page[0] - 1) * size)
        damaged.write(bytes(size))
    problems = json.loads(run("storage", "check", two, "--json", code=3).stdout)["problems"]
    assert "malformed" in problems[0]


@pytest.mark.parametrize("command", ["copy", "backup", "export"])
def test_what_is_counted_and_cannot_be_read_is_not_left_out(
    command: str, two: str, empty: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(two.removeprefix("sqlite:///"))) as file:
        file.execute("UPDATE todo_store SET entries = 3")
        file.commit()
    target = tmp_path / "target"
    arguments = {
        "copy": ("storage", "copy", two, empty),
        "backup": ("storage", "backup", str(target), "--storage", two),
        "export": ("export", str(target), "--storage", two),
    }
    told = run(*arguments[command], code=1).stderr
    assert "counts 3 entries, and 2 could be read" in told
    assert not target.exists()
    if command == "copy":
        assert answer("storage", "status", empty)["entries"] == 0


@pytest.mark.parametrize("end", ["", "-wal"])
@pytest.mark.parametrize("command", ["backup", "export"])
def test_a_database_is_not_replaced_by_what_is_written_of_it(
    command: str, end: str, two: str, tmp_path: Path
) -> None:
    target = f"{two.removeprefix('sqlite:///')}{end}"
    arguments = {
        "backup": ("storage", "backup", "--force", target),
        "export": ("export", target),
    }
    told = run(*arguments[command], "--storage", two, code=1).stderr
    assert "belongs to the storage itself" in told
    assert answer("storage", "check", two)["entries"] == 2


@pytest.mark.parametrize("name", ["todo.journal", "lock", "link"])
def test_a_journal_is_not_replaced_by_what_is_written_of_it(
    name: str, two: str, tmp_path: Path
) -> None:
    url = f"pickle:///{tmp_path}/todos"
    run("storage", "copy", two, url)
    (tmp_path / "todos" / "link").symlink_to("todo.journal")
    told = run("export", f"{tmp_path}/todos/{name}", "--storage", url, code=1).stderr
    assert "belongs to the storage itself" in told
    assert answer("storage", "check", url)["entries"] == 2


@pytest.mark.parametrize("as_url", [False, True])
def test_check_takes_the_folder_of_a_pickle_storage(as_url: bool, tmp_path: Path) -> None:
    url = f"pickle:///{tmp_path}/todos"
    run("storage", "migrate", url)
    assert answer("storage", "check", url if as_url else f"{tmp_path}/todos") == {
        "storage": url,
        "revision": 0,
        "entries": 0,
        "digest": NOTHING,
        "unfinished_bytes": 0,
        "problems": [],
    }


def test_copy_answers_what_arrived(two: str, empty: str) -> None:
    copied = answer("storage", "copy", two, empty)
    digest = copied.pop("digest")
    assert copied == {"source": two, "target": empty, "revision": 2, "entries": 2}
    assert isinstance(digest, str) and len(digest) == 64


def test_backup_and_restore_answer_the_same_digest(
    two: str, empty: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "backup")
    saved = answer("storage", "backup", file, "--storage", two)
    kept = answer("storage", "restore", file, "--storage", empty)
    assert saved == {
        "storage": two,
        "file": file,
        "revision": 2,
        "entries": 2,
        "digest": answer("storage", "check", two)["digest"],
    }
    assert kept == saved | {"storage": empty, "revision": kept["revision"]}
    assert int(str(kept["revision"])) > 2 + REVISIONS_APART


def test_export_and_import_answer_the_same_digest(two: str, empty: str, tmp_path: Path) -> None:
    file = str(tmp_path / "export.csv")
    exported = answer("export", file, "--storage", two)
    digest = exported["digest"]
    assert exported == {"storage": two, "file": file, "entries": 2, "digest": digest}
    assert answer("import", file, "--storage", empty) == {
        "storage": empty,
        "file": file,
        "added": 2,
        "changed": 0,
        "unchanged": 0,
        "skipped": 0,
        "entries": 2,
        "digest": digest,
    }


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_exported_to_standard_output_nothing_else_stands_there(
    flags: Sequence[str], two: str
) -> None:
    exported = run("export", "--storage", two, *flags)
    entries = [json.loads(line) for line in exported.stdout.splitlines()]
    assert sorted(entry["content"] for entry in entries) == ["a", "b"]
    assert "digest" in exported.stderr


def test_the_format_can_be_told(two: str, empty: str, tmp_path: Path) -> None:
    file = str(tmp_path / "export")
    assert run("export", "--format", "csv", "--storage", two).stdout.startswith("id,content,")
    run("export", file, "--format", "csv", "--storage", two)
    run("import", file, "--format", "jsonl", "--storage", empty, code=3)
    assert answer("import", file, "--format", "csv", "--storage", empty)["added"] == 2


def test_commands_look_after_the_storage_of_the_settings(
    two: str, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, export = str(tmp_path / "backup"), str(tmp_path / "export.jsonl")
    monkeypatch.setenv("TODOAPP_STORAGE_URL", two)
    for command in (["storage", "status"], ["storage", "check"], ["storage", "backup", file]):
        assert answer(*command)["entries"] == 2
    assert answer("export", export)["entries"] == 2
    monkeypatch.setenv("TODOAPP_STORAGE_URL", empty)
    assert answer("storage", "migrate")["storage"] == empty
    assert answer("import", export)["added"] == 2
    assert answer("storage", "restore", file, "--replace")["entries"] == 2


def test_bad_lines_exit_with_3_and_are_told_on_standard_error(
    empty: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"content":"a"}\n{"content":""}\n{\n')
    refused = run("import", str(file), "--storage", empty, "--json", code=3)
    assert refused.stdout == ""
    assert "line 2: content: must not be empty\n" in refused.stderr
    assert "line 3: is not JSON" in refused.stderr
    assert refused.stderr.endswith(
        "2 lines are bad: nothing was imported (--skip-bad imports the others).\n"
    )
    imported = run("import", str(file), "--storage", empty, "--skip-bad", "--json")
    assert json.loads(imported.stdout)["skipped"] == 2
    assert "line 2: " in imported.stderr


def test_not_more_bad_lines_are_told_than_can_be_read(empty: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text("{\n" * (FLAWS_SHOWN + 1_234))
    refused = run("import", str(file), "--storage", empty, code=3).stderr.splitlines()
    assert len([line for line in refused if line.startswith("line ")]) == FLAWS_SHOWN
    assert "and 1,234 more bad lines" in refused


def test_a_csv_file_without_a_heading_exits_with_3(empty: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    refused = run("import", f"{tmp_path}/a.csv", "--storage", empty, code=3)
    assert "heading" in refused.stderr


FAILURES = [
    ("storage", "status", "sqlite:///{none}"),
    ("storage", "check", "sqlite:///{none}"),
    ("storage", "check", "{none}"),
    ("storage", "status", "mysql://here"),
    ("storage", "copy", "pickle:///{none}", "sqlite:///{none}"),
    ("storage", "copy", "{two}", "{two}"),
    ("storage", "backup", "{none}", "--storage", "sqlite:///{none}"),
    ("storage", "backup", "{none}/backup", "--storage", "{two}"),
    ("storage", "backup", "{file}", "--storage", "{two}"),
    ("storage", "restore", "{none}", "--storage", "sqlite:///{none}"),
    ("storage", "restore", "{file}", "--storage", "sqlite:///{none}"),
    ("storage", "restore", "/dev/null", "--storage", "sqlite:///{none}"),
    ("export", "{none}", "--storage", "sqlite:///{none}"),
    ("export", "{none}/export", "--storage", "{two}"),
    ("export", "/dev/null", "--storage", "{two}"),
    ("storage", "backup", "{loop}", "--storage", "{two}"),
    ("export", "{loop}", "--storage", "{two}"),
    ("export", "{loop}/export", "--storage", "{two}"),
    ("import", "{none}", "--storage", "sqlite:///{none}"),
    ("import", "{folder}", "--storage", "sqlite:///{none}"),
]


@pytest.mark.parametrize("arguments", FAILURES, ids=" ".join)
def test_what_fails_exits_with_1_and_one_line_and_makes_nothing(
    arguments: Sequence[str], two: str, tmp_path: Path
) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    names = {
        "none": tmp_path / "none",
        "two": two,
        "file": tmp_path / "two.jsonl",
        "folder": tmp_path,
        "loop": loop,
    }
    failed = run(*(argument.format(**names) for argument in arguments), code=1)
    assert failed.stdout == ""
    told = [line for line in failed.stderr.splitlines() if ": 0 of " not in line]
    assert len(told) == 1 and told[0]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("storage", "copy", "one"),
        ("storage", "backup"),
        ("storage", "backup", "a", "b"),
        ("storage", "restore"),
        ("storage", "forget"),
        ("import",),
        ("import", "a", "--format", "xml"),
        ("export", "--all"),
    ],
    ids=" ".join,
)
def test_what_is_no_command_exits_with_2(arguments: Sequence[str]) -> None:
    run(*arguments, code=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("storage", "status", "{url}"),
        ("storage", "migrate", "{url}"),
        ("storage", "check", "{url}"),
        ("storage", "copy", "{url}", "sqlite:///{none}"),
        ("storage", "copy", "{two}", "{url}"),
        ("storage", "backup", "{none}", "--storage", "{url}"),
        ("export", "--storage", "{url}"),
        ("import", "{file}", "--storage", "{url}"),
    ],
    ids=" ".join,
)
def test_a_secret_is_told_nobody(
    arguments: Sequence[str], two: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = {"none": tmp_path / "none", "two": two, "file": tmp_path / "two.jsonl"}
    url = "postgresql://todo:hush-hush@127.0.0.1:1/todo"
    failed = run(*(a.format(**names, url=url) for a in arguments), code=1)
    assert "127.0.0.1:1/todo" in failed.stderr
    assert "hush" not in failed.output + caplog.text


def test_a_secret_is_masked_in_what_is_answered(tmp_path: Path) -> None:
    url = STORAGE_URLS["postgresql"](tmp_path)
    secret = url.replace("postgres@", "postgres:hush-hush@")
    assert secret != url
    for command in ("migrate", "status", "check"):
        answered = run("storage", command, secret)
        assert "hush" not in answered.output and "***" in answered.stdout


def test_help_tells_what_csv_does_not_carry() -> None:
    told = " ".join(run("export", "--help").stdout.split())
    assert "spreadsheet" in told
