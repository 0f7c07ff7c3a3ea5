from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_socket
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, FakeReader, write_table
from hypothesis import settings
from remembered import Store, StoredEncoder, StoredReader
from tried import PAGE, page, row

from matcher.catalog import Catalog
from matcher.codes import data_folder
from matcher.corpus import read_companies, read_issues
from matcher.embed.remembering import RememberingEncoder, RememberingReader
from matcher.types import Company, Encoder, Issue, Reader, Reading

_TRIED = pytest.StashKey[dict[int, list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-tried", action="store_true", help="write docs/tried.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TRIED] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if config.stash[_TRIED] and not session.testsfailed:
        PAGE.write_text(page(config.stash[_TRIED]), encoding="utf-8")


# A shared machine may be slow at any moment: the time of one example says nothing.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """No test reaches beyond this machine; pytest-socket lifts the bar after each test."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def remembered_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of what was encoded and read in this run, one for all its processes."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if own.name.startswith("popen-") else own) / "remembered.sqlite"


@pytest.fixture(scope="session")
def bundled(remembered_path: Path) -> Encoder:
    """The bundled encoder, which reads no text twice."""
    from matcher.embed import load_encoder

    return RememberingEncoder(StoredEncoder(load_encoder(), Store(remembered_path)))


@pytest.fixture(scope="session")
def bundled_reader(remembered_path: Path) -> Reader:
    """The bundled reader, which reads no pair twice."""
    from matcher.embed import load_reader

    return RememberingReader(StoredReader(load_reader(), Store(remembered_path)))


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch, bundled: Encoder, bundled_reader: Reader) -> None:
    """`matcher.load_encoder` and the reader that is loaded by itself remember."""
    monkeypatch.setattr("matcher.load_encoder", lambda: bundled, raising=False)
    monkeypatch.setattr("matcher.pipeline.load_reader", lambda *_: bundled_reader)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundled weights for sentence-transformers."""
    from matcher.embed.export import export_encoder

    return export_encoder(tmp_path_factory.mktemp("export") / "e5")


@pytest.fixture(scope="session")
def shipped_issues() -> Reading[Issue]:
    return read_issues(data_folder() / "issues.csv")


@pytest.fixture(scope="session")
def shipped_companies() -> Reading[Company]:
    return read_companies(data_folder() / "companies.csv")


@pytest.fixture(scope="session")
def shipped_catalog(shipped_companies: Reading[Company], bundled: Encoder) -> Catalog:
    return Catalog.build(shipped_companies, bundled)


@pytest.fixture
def fake() -> FakeEncoder:
    """A quick encoder of its own for each test."""
    return FakeEncoder()


@pytest.fixture
def issues_csv(tmp_path: Path) -> Path:
    return write_table(tmp_path / "issues.csv", ISSUES)


@pytest.fixture
def companies_csv(tmp_path: Path) -> Path:
    return write_table(tmp_path / "companies.csv", COMPANIES)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeEncoder]:
    """The main job loads the quick encoder and the quick reader instead of the bundled ones, and a
    short bridge; gives how to change the encoder.
    """
    monkeypatch.setattr("matcher.bridge.shipped", lambda: LINES)
    for room in ("pipeline", "job"):  # whichever loads it
        name = f"matcher.{room}.load_reader"
        monkeypatch.setattr(name, lambda *_, **__: FakeReader(), raising=False)

    def use(name: str = "fake") -> FakeEncoder:
        encoder = FakeEncoder(name)
        monkeypatch.setattr("matcher.job.load_encoder", lambda *_, **__: encoder)
        return encoder

    use()
    return use


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str, list[str]]]:
    """Call the command line; its status, its standard output and the lines of its errors."""
    from matcher.cli import main

    def run(*arguments: object) -> tuple[object, str, list[str]]:
        with pytest.raises(SystemExit) as raised:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return raised.value.code, shown.out, shown.err.splitlines()

    return run


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Callable[[int, str, str, str], None]:
    """Say what was tried, in which group, what happened and what the user read (see `tried.py`)."""

    def say(group: int, name: str, happened: str, reads: str = "") -> None:
        if request.config.getoption("--write-tried"):
            request.config.stash[_TRIED].setdefault(group, []).append(row(name, happened, reads))
        else:
            told = PAGE.read_text(encoding="utf-8").splitlines()
            assert row(name, happened, reads) in told, "docs/tried.md is behind: make tried"

    return say
