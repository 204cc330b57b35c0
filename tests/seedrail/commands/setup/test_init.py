"""`seedrail init`, as a process in projects that `alembic init` made."""

import subprocess
from pathlib import Path

import pytest

from tests.support.adopters import TEMPLATES, Adopter
from tests.support.databases import Database

ALL = ("--write-env", "--seeds", "seeds:seed_catalog")


@pytest.fixture
def adopter(sqlite: Database, tmp_path: Path) -> Adopter:
    return Adopter.made(tmp_path / "project", sqlite)


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize("template", TEMPLATES)
def test_each_of_alembics_templates_is_ready_for_seeds(
    template: str, database: Database, tmp_path: Path
) -> None:
    adopter = Adopter.made(tmp_path / "project", database, template)
    adopter.seedrail("init", *ALL)
    for command in (
        ("upgrade", "head"),
        ("revision", "--autogenerate", "-m", "tags"),
        ("upgrade", "head"),
        ("check",),
    ):
        adopter.succeed(*command)
    assert database.scalar("SELECT count(*) FROM tags") == 2
    assert adopter.seedrail("verify", "-q").out
    assert "seed_refused" in adopter.alembic("downgrade", "seed_0001:seed_base", "--sql").out
    back = adopter.alembic("downgrade", "seed_base")
    assert "seeds at seed_base: tags: 2 deleted" in back.text
    before = adopter.files()
    assert adopter.seedrail("init", *ALL).out.endswith("everything is there\n")
    assert adopter.files() == before


def test_without_the_option_env_py_is_shown_and_the_rest_is_written(adopter: Adopter) -> None:
    env = adopter.files()["migrations/env.py"]
    shown = adopter.seedrail("init").out
    files = adopter.files()
    assert files["migrations/env.py"] == env
    assert "! env.py " in shown
    assert "+seed_catalog = seedrail.SeedCatalog([])" in shown
    assert shown.count("+    with seedrail.begin(context):") == 1
    assert files[".gitattributes"].decode().endswith("\nmigrations/seeds/* -text diff=seeds\n")
    assert b"\nrevision_environment = true\n" in files["alembic.ini"]
    assert b"[logger_seedrail]\nlevel = INFO\n" in files["alembic.ini"]
    assert (adopter.root / "migrations/seeds").is_dir()
    assert (
        b"down_revision: Union[str, Sequence[str], None] = '0001'"
        in files["migrations/versions/seed_base_create_the_seed_ledger.py"]
    )


def test_a_dry_run_shows_all_as_a_diff_that_git_takes_and_writes_nothing(adopter: Adopter) -> None:
    before = adopter.files()
    diff = adopter.seedrail("init", "--dry-run", *ALL, code=10).out
    assert adopter.files() == before
    subprocess.run(["git", "apply"], input=diff, text=True, cwd=adopter.root, check=True)
    applied = adopter.files()
    assert set(applied) - set(before) == {
        ".gitattributes",
        "migrations/versions/seed_base_create_the_seed_ledger.py",
    }
    (adopter.root / "migrations/seeds").mkdir()
    assert adopter.seedrail("init", "--dry-run", *ALL).out.endswith("everything is there\n")
    assert adopter.alembic("upgrade", "head").code == 0


def test_an_empty_catalog_is_a_beginning(adopter: Adopter) -> None:
    """What is written where no seeds are declared yet runs."""
    adopter.seedrail("init", "--write-env")
    assert adopter.alembic("upgrade", "head").code == 0
    assert adopter.alembic("check").code == 0
    made = adopter.alembic("revision", "-m", "by hand", "--rev-id", "0002")
    assert "follows schema 0002" in made.text
    assert adopter.alembic("upgrade", "head").code == 0
    assert "at seed_0001" in adopter.seedrail("doctor", "-q").out


def test_an_old_project_is_followed_at_its_newest_revision(sqlite: Database, tmp_path: Path) -> None:
    adopter = Adopter.made(tmp_path / "project", sqlite, revisions=14)
    assert adopter.alembic("upgrade", "head").code == 0
    assert "on top of 0014" in adopter.seedrail("init", *ALL).out
    done = adopter.alembic("upgrade", "head")
    assert "0014 -> seed_base" in done.text


def test_branches_are_to_be_merged_first(adopter: Adopter) -> None:
    adopter.alembic("revision", "-m", "two", "--rev-id", "0002")
    adopter.alembic("revision", "-m", "three", "--rev-id", "0003", "--head", "0001", "--splice")
    before = adopter.files()
    told = adopter.seedrail("init", code=1)
    assert "the schema has 2 heads" in told.err
    assert (told.out, adopter.files()) == ("", before)
    assert 'alembic merge -m "…" ' in told.err
    adopter.alembic("merge", "-m", "both", "0002", "0003", "--rev-id", "0004")
    assert "on top of 0004" in adopter.seedrail("init").out


@pytest.mark.parametrize("options", [[], ["--write-env"]])
def test_an_environment_of_ones_own_is_shown_as_a_diff(options: list[str], adopter: Adopter) -> None:
    adopter.edit("migrations/env.py", "connectable =", "audit()\n    connectable =")
    before = adopter.files()
    told = adopter.seedrail("init", *options, code=len(options))
    assert "+        with seedrail.begin(context):" in told.out
    assert "! env.py        is to be given its seeds by hand: see the lines below\n" in told.out
    assert adopter.files()["migrations/env.py"] == before["migrations/env.py"]
    if options:
        assert "none of Alembic's own templates; nothing was written" in told.err
        assert adopter.files() == before
        assert not (adopter.root / "migrations/seeds").exists()


def test_configuration_elsewhere_and_another_section_are_found(adopter: Adopter) -> None:
    (adopter.root / "conf").mkdir()
    adopter.edit("alembic.ini", "[alembic]", "[other]")
    adopter.edit("alembic.ini", "%(here)s/migrations", "%(here)s/../migrations")
    (adopter.root / "alembic.ini").rename(adopter.root / "conf/my.ini")
    given = ("-c", "conf/my.ini", "-n", "other")
    shown = adopter.seedrail(*given, "init", *ALL).out
    assert "conf/my.ini: revision_environment = true" in shown
    assert adopter.files()["migrations/.gitattributes"].endswith(b"\nseeds/* -text diff=seeds\n")
    assert adopter.seedrail(*given, "init", *ALL).out.endswith("everything is there\n")
    assert adopter.alembic("-c", "conf/my.ini", "-n", "other", "upgrade", "head").code == 0


def test_several_databases_are_refused(sqlite: Database, tmp_path: Path) -> None:
    adopter = Adopter.empty(tmp_path / "project", sqlite)
    adopter.alembic("init", "-t", "multidb", "migrations")
    (adopter.root / "migrations/versions/a.py").write_text("revision = 'a'\ndown_revision = None\n")
    told = adopter.seedrail("init", code=1)
    assert "env.py gives arguments to the revisions" in told.err
    assert "an Alembic project of its own" in told.err


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        ("rm alembic.ini", 2, "there is no alembic.ini here"),
        ("rm migrations/env.py", 1, "there is no migrations/env.py; restore it"),
        ("rm migrations/script.py.mako", 1, "migrations/script.py.mako, which revisions are made from"),
        ("sed -i '/imports/d' migrations/script.py.mako", 1, "script.py.mako leaves out what"),
        ("rm migrations/versions/*.py", 1, "no revision yet that seed_base could follow"),
        ("echo '(' >> migrations/env.py", 1, "env.py cannot be read"),
        ("printf '\\377' >> alembic.ini", 2, "alembic.ini cannot be read: "),
        ("echo nonsense > alembic.ini", 2, "alembic.ini cannot be read: "),
        ("echo nonsense > pyproject.toml", 2, "pyproject.toml cannot be read: "),
        ("echo '(' >> migrations/versions/0001_step_1.py", 1, "the revision cannot be read"),
        ("touch migrations/seeds", 1, "File exists"),
        ("chmod 500 migrations; test $(id -u) != 0 || touch migrations/seeds", 1, "cannot write"),
        (
            "printf 'hooks = x\\nx.type = console_scripts\\nx.entrypoint = nowhere\\n' > hooks;"
            " sed -i '/^.post_write_hooks/r hooks' alembic.ini",
            1,
            "nowhere",
        ),
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_a_sentence_and_nothing_is_written(
    damage: str, code: int, words: str, adopter: Adopter
) -> None:
    subprocess.run(["sh", "-ec", damage], cwd=adopter.root, check=True)
    before = adopter.files()
    told = adopter.seedrail("init", *ALL, code=code)
    assert words in told.err
    assert adopter.files() == before
    assert not (adopter.root / "migrations/seeds").is_dir()


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ("seeds", "say MODULE:NAME"),
        ("seeds:x()", "say MODULE:NAME"),
        ("nowhere.seeds:catalog", "no module nowhere.seeds to import"),
    ],
)
def test_seeds_that_cannot_be_imported_are_refused(seeds: str, words: str, adopter: Adopter) -> None:
    before = adopter.files()
    assert words in adopter.seedrail("init", "--write-env", "--seeds", seeds, code=2).err
    assert adopter.files() == before


def test_help_shows_how_it_is_typed(adopter: Adopter) -> None:
    told = adopter.seedrail("init", "--help").out
    assert "seedrail init --write-env --seeds myapp.seeds:seed_catalog" in told
    assert "Exit codes: 0 done" in told
