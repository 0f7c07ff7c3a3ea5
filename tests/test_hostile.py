"""Texts that some program would act on, through the whole job: every output holds them inert."""

import csv
import http.server
import io
import json
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import office
import pytest
import report_examples
from examples import COMPANIES, ISSUES, LINES, FakeEncoder, FakeReader, changed, write_table
from hostile_examples import CONTROLS, EVERY, FORMULAS, MARKUP, write_lines
from hostile_examples import companies as hostile_companies
from hostile_examples import issues as hostile_issues
from playwright.sync_api import Browser, Page, sync_playwright
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

from matcher.cli import main
from matcher.corpus import read_companies, read_issues
from matcher.formulas import neutralise, restore
from matcher.report import page, wording, workbook
from matcher.report.rejected import rejected_csv
from matcher.trec import read_run
from matcher.types import Fault

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
in_office = pytest.mark.skipif(office.SOFFICE is None, reason="LibreOffice is not installed")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

# What a terminal obeys, and what turns the order of letters round.
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Run:
    folder: Path
    issues: Path
    companies: Path
    out: str
    err: str

    @property
    def faults(self) -> list[dict[str, str]]:
        text = (self.folder / "rejected.csv").read_bytes().decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def said(self, part: str) -> str:
        """The first problem that says so, with its remedy, as the user reads them."""
        found = next(one for one in self.faults if part in one["problem"])
        return found["problem"] + found["remedy"]


def called(*arguments: object) -> tuple[object, str, str]:
    """A call of the command line: its status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as raised:
        main([str(argument) for argument in arguments])
    return raised.value.code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def quickly() -> Iterator[None]:
    """The quick encoder and reader, and a short bridge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.bridge.shipped", lambda: LINES)
        patch.setattr("matcher.job.load_encoder", lambda *_, **__: FakeEncoder())
        patch.setattr("matcher.job.load_reader", lambda *_, **__: FakeReader())
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, quickly: None) -> Run:
    """The main job over tables with a payload in every cell; each company is on some list."""
    folder = tmp_path_factory.mktemp("hostile")
    issues = write_lines(folder / "課題.jsonl", hostile_issues())
    companies = write_lines(folder / "企業.jsonl", hostile_companies())
    out = folder / "out"
    told = ("match", issues, companies, "--out", out, "--region-rule", "any", "--top", "5")
    status, shown, errors = called(*told)
    assert status == 0, errors
    return Run(out, issues, companies, shown, errors)


@pytest.fixture(scope="module")
def lines(run: Run) -> list[dict[str, object]]:
    content = (run.folder / "shortlist.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in content.split("\n") if line]


# What goes in comes out, as text


def test_every_payload_reaches_the_outputs(run, lines):
    assert len(lines) == len(EVERY)
    listed = {entry["company_id"] for line in lines for entry in line["entries"]}
    assert len(listed) == len(EVERY)
    assert {line["status"] for line in lines} == {"ranked"}


def test_texts_in_the_lines_are_those_of_the_tables(run, lines):
    issues = {one.issue_id: one for one in read_issues(run.issues)}
    companies = {one.company_id: one for one in read_companies(run.companies)}
    for line in lines:
        issue = issues[line["issue_id"]]
        assert (line["title"], line["extra"]) == (issue.title, dict(issue.extra))
        assert line["issue"]["description"] == issue.description
        for entry in line["entries"]:
            company = companies[entry["company_id"]]
            assert (entry["name"], entry["extra"]) == (company.name, dict(company.extra))
    budgets = {line["issue"]["budget"] for line in lines}
    assert {text for text in EVERY if text.isprintable() and text.strip() == text} <= budgets


def test_every_line_of_the_trec_run_has_six_words(run, lines, tried):
    content = (run.folder / "run.trec").read_text(encoding="utf-8")
    assert all(len(line.split(" ")) == len(line.split()) == 6 for line in content.splitlines())
    scores = read_run(run.folder / "run.trec")
    assert {line["issue_id"] for line in lines} == set(scores)
    for line in lines:
        ids = {entry["company_id"] for entry in line["entries"]}
        assert set(scores[line["issue_id"]]) == ids
    tried(
        8,
        'IDなどに空白、改行、引用符、{"a":1}、../../x、$(id)（CSV・JSON・TRECの区切り、パスの細工）',
        "IDの空白を「_」にし（警告）、ほかは文字のまま載る。どの出力も行や列が崩れない",
        run.said("IDの中の空白"),
    )


def test_ids_that_look_like_paths_write_no_other_file(run):
    written = sorted(path.name for path in run.folder.parent.rglob("*") if path.is_file())
    assert written == sorted(
        (*(path.name for path in run.folder.iterdir()), run.issues.name, run.companies.name)
    )


def test_json_on_the_screen_is_the_manifest_without_controls(run, tmp_path, quickly):
    named = tmp_path / "課題\x9b31m\u202e.jsonl"
    shutil.copy(run.issues, named)
    told = ("match", named, run.companies, "--out", tmp_path / "out", "--no-reader", "--json")
    status, shown, _ = called(*told)
    assert status == 0
    assert not _OBEYED.search(shown)
    manifest = (tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")
    assert json.loads(shown) == json.loads(manifest)


# The terminal


def test_nothing_that_a_terminal_obeys_is_printed(run, lines, tried):
    assert not _OBEYED.search(run.out + run.err)
    every = ""
    for line in lines:
        status, shown, errors = called("show", "--run", run.folder, "--", line["issue_id"])
        assert (status, errors) == (0, "")
        every += shown
    assert not _OBEYED.search(every)
    assert "[bold red]太字[/bold red]" in every
    tried(
        8,
        "端末の制御文字（色、画面の消去、リンク、クリップボード、C1、左右の反転、ベル）をすべての欄に",
        "制御文字は読み取るときに除き（警告）、画面・ブック・ページのどこにも出ない",
        run.said("U+001B"),
    )
    tried(
        8,
        "[bold red]太字[/bold red] や [link=…] をすべての欄に",
        "書式として働かず、文字のまま画面に出る",
    )


@pytest.mark.parametrize("text", [text for text in CONTROLS if "\ud800" not in text])
def test_a_sentence_on_stderr_controls_nothing(text, tmp_path):
    status, shown, errors = called("match", f"{text}.csv", "c.csv", "--out", tmp_path / "out")
    assert (status, shown) == (2, "")
    assert not _OBEYED.search(errors)
    assert len(errors.splitlines()) == 1


# The workbook


class _Listener(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine, and what it was asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Listener,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


_RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode">
<value>0</value></prop></item></oor:items>"""


def opened(paths: list[Path], folder: Path, *, as_csv: str = "") -> list[str]:
    """The files as LibreOffice has them after it computed all it can, as flat XML."""
    (folder / "profile" / "user").mkdir(parents=True)
    settings = folder / "profile" / "user" / "registrymodifications.xcu"
    settings.write_text(_RECALCULATE, encoding="utf-8")
    command = [office.SOFFICE or "", f"-env:UserInstallation=file://{folder / 'profile'}"]
    command += ["--headless", "--convert-to", "fods", "--outdir", str(folder)]
    if as_csv:  # separators, and the last word: formulas in the file are evaluated
        options = f"{as_csv},34,76,1,,0,false,false,false,false,false,0,true"
        command.append(f"--infilter=Text - txt - csv (StarCalc):{options}")
    subprocess.run([*command, *map(str, paths)], check=True, capture_output=True, timeout=180)
    return [(folder / f"{path.stem}.fods").read_text(encoding="utf-8") for path in paths]


def is_asleep(flat: str) -> bool:
    """Whether an opened file computes nothing and points nowhere but into itself."""
    links = re.findall(r'xlink:href="([^"]*)"', flat)
    return (
        "table:formula=" not in flat
        and "dde-source" not in flat
        and "table:table-source" not in flat
        and all(link.startswith("#") for link in links)
    )


@in_office
def test_libreoffice_computes_nothing_in_the_workbook(run, tmp_path, listener, tried):
    address, asked = listener
    control = tmp_path / "control.xlsx"
    with Workbook(control) as book:
        book.add_worksheet().write_formula("A1", "=1+1")
    texts = [f'=WEBSERVICE("{address}/")', f'=HYPERLINK("{address}/")', *FORMULAS]
    listening = tmp_path / "listening.xlsx"
    poisoned = [report_examples.poisoned(text) for text in texts]
    listening.write_bytes(workbook.workbook_bytes(poisoned))
    shutil.copy(run.folder / "shortlist.xlsx", tmp_path)
    books = [tmp_path / "shortlist.xlsx", listening, control]
    whole, local, awake = opened(books, tmp_path / "flat")
    assert is_asleep(whole)
    assert is_asleep(local)
    assert not is_asleep(awake)
    assert "<text:p>2</text:p>" in awake
    assert asked == []
    shown = f"'{FORMULAS[22]}"
    assert shown in whole.replace("&apos;", "'")
    tried(
        8,
        "計算式（= + - @、タブ、改行、全角、前に空白や見えない文字や引用符、DDE、HYPERLINK、"
        "WEBSERVICE、IMPORTXML）をすべての欄に",
        "文字のまま載る。LibreOffice で開いても計算せず、どこへも通信しない",
        shown,
    )


@in_office
def test_libreoffice_computes_nothing_in_the_list_of_problems(run, tmp_path, tried):
    shutil.copy(run.folder / "rejected.csv", tmp_path)
    control = tmp_path / "control.csv"
    control.write_text("a,b\n1,x;=1+1\n", encoding="utf-8")
    faults = [
        Fault(file="表.csv", value=text, severity="警告", problem="問題", remedy="直し方")
        for text in EVERY
    ]
    (tmp_path / "all.csv").write_bytes(rejected_csv(faults))
    tables = [tmp_path / name for name in ("rejected.csv", "all.csv", "control.csv")]
    found, every, awake = opened(tables, tmp_path / "flat", as_csv="44/59/9")
    assert is_asleep(found)
    assert is_asleep(every)
    assert not is_asleep(awake)
    tried(
        8,
        "値に「a;=1+1」など、区切り記号のうしろの計算式",
        "rejected.csv をコンマ・セミコロン・タブ区切りで開いても計算式にならない",
    )


@in_office
def test_workbook_that_travels_as_csv_still_computes_nothing(run, tmp_path):
    folder = tmp_path / "csv"
    command = [office.SOFFICE, f"-env:UserInstallation=file://{folder / 'profile'}", "--headless"]
    every_sheet = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
    book = run.folder / "shortlist.xlsx"
    subprocess.run(
        [*command, "--convert-to", every_sheet, "--outdir", str(folder), str(book)],
        check=True,
        capture_output=True,
        timeout=180,
    )
    tables = sorted(folder.glob("*.csv"))
    assert len(tables) == 3
    assert all(map(is_asleep, opened(tables, tmp_path / "flat", as_csv="44")))


def test_workbook_has_no_formula_and_no_way_out(run, lines):
    with zipfile.ZipFile(run.folder / "shortlist.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert not any(re.search("externalLink|vba|activeX|connections", name) for name in parts)
    assert not any(b"TargetMode" in part for part in parts.values())
    sheets = [part for name, part in parts.items() if "worksheets/sheet" in name]
    assert len(sheets) == 3
    assert not any(re.search(rb"<f[ >]", sheet) for sheet in sheets)
    rows = CalamineWorkbook.from_path(run.folder / "shortlist.xlsx").get_sheet_by_name("一覧")
    header, *told = rows.to_python()
    budgets = {restore(str(row[header.index("予算")])) for row in told}
    assert {wording.clean(line["issue"]["budget"]) for line in lines} == budgets


def test_no_cell_can_become_a_formula_behind_what_a_program_drops():
    for text in FORMULAS:
        if not re.match("a[;\t,]", text):  # within a text: the cell itself begins with a letter
            assert neutralise(text) == f"'{text}"
        assert restore(neutralise(text)) == text


# The page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@dataclass(frozen=True)
class Visit:
    """What a page did when it was opened, scrolled through and printed."""

    happened: list[str]
    tags: dict[str, int]
    attributes: dict[str, int]
    title: str
    links: list[str]
    text: str


_COUNT = "names => names.reduce((all, name) => ({...all, [name]: (all[name] || 0) + 1}), {})"
_TAGS = "[...document.querySelectorAll('*')].map(one => one.localName)"
_NAMES = "[...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames())"


def visited(browser: Browser, path: Path) -> Visit:
    happened: list[str] = []
    shown: Page = browser.new_page()
    shown.on("request", lambda one: happened.append(f"request {one.url}"))
    shown.on("console", lambda one: happened.append(f"console {one.text}"))
    shown.on("pageerror", lambda one: happened.append(f"error {one}"))
    shown.on("popup", lambda one: happened.append(f"popup {one.url}"))
    shown.on("download", lambda one: happened.append(f"download {one.url}"))
    shown.on("dialog", lambda one: (happened.append(f"dialog {one.message}"), one.dismiss()))
    shown.goto(path.as_uri())
    shown.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    shown.mouse.move(300, 300)
    shown.keyboard.press("Tab")
    shown.keyboard.press("Enter")
    shown.wait_for_timeout(300)
    found = Visit(
        happened=[one for one in happened if one != f"request {path.as_uri()}"],
        tags=shown.evaluate(f"({_COUNT})({_TAGS})"),
        attributes=shown.evaluate(f"({_COUNT})({_NAMES})"),
        title=shown.title(),
        links=shown.evaluate("[...document.links].map(one => one.getAttribute('href'))"),
        text=shown.evaluate("document.body.textContent"),
    )
    shown.close()
    return found


@in_browser
def test_chromium_runs_nothing_in_the_page_and_asks_for_nothing(run, browser, tmp_path, tried):
    found = visited(browser, run.folder / "shortlist.html")
    assert found.happened == []
    assert found.title == "課題と企業の候補"
    assert all(link.startswith("#") for link in found.links)
    assert {"script", "img", "iframe", "link", "base", "object", "form"}.isdisjoint(found.tags)
    assert not any(name.startswith("on") or name in ("src", "style") for name in found.attributes)
    for text in MARKUP:
        assert wording.clean(text) in found.text
    control = tmp_path / "control.html"
    control.write_text(f"<title>x</title>{MARKUP[0]}{MARKUP[1]}", encoding="utf-8")
    awake = visited(browser, control)
    assert awake.title == "RUN"
    assert any(one.startswith("request http://127.0.0.1:9/") for one in awake.happened)
    tried(
        8,
        "HTMLとJavaScript（script、onerror、svg、</style>、-->、javascript:、属性からの抜け出し、"
        "U+2028、{{7*7}}）をすべての欄に",
        "ページに文字として見える。Chromium で開いても何も動かず、どこへも通信しない",
        run.said("HTMLのタグ"),
    )


@in_browser
def test_page_of_payloads_is_built_like_a_harmless_one(browser, tmp_path):
    for name, texts in (("wild", EVERY), ("tame", ["あ"] * len(EVERY))):
        shortlists = [report_examples.poisoned(text) for text in texts]
        content = page.page_html(shortlists)
        (tmp_path / f"{name}.html").write_text(content, encoding="utf-8")
    wild, tame = (visited(browser, tmp_path / f"{name}.html") for name in ("wild", "tame"))
    assert wild.happened == tame.happened == []
    # A text that is only blanks or nothing once it is cleaned leaves its row of facts out.
    assert (wild.tags, wild.attributes) == (tame.tags, tame.attributes)


@in_browser
def test_policy_of_the_page_stops_what_would_have_got_in(run, browser, tmp_path):
    content = (run.folder / "shortlist.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in content
    broken = tmp_path / "broken.html"
    broken.write_text(content.replace("<main>", f"<main>{MARKUP[0]}{MARKUP[1]}"), encoding="utf-8")
    found = visited(browser, broken)
    assert found.tags["script"] == found.tags["img"] == 1
    assert found.title == "課題と企業の候補"
    assert not any(one.startswith(("dialog", "popup", "download")) for one in found.happened)
    assert not any("request http://127.0.0.1:9/" in one for one in found.happened)


# What is made of a run


def test_label_workbooks_and_judgements_compute_nothing(run, tmp_path):
    out = tmp_path / "labels"
    told = (
        "label",
        run.folder,
        "--out",
        out,
        "--depth",
        "1",
        "--judge",
        "=1+1",
        "--judge",
        "A&G&P",
    )
    status, shown, errors = called(*told)
    assert (status, errors) == (0, "")
    assert not _OBEYED.search(shown)
    books = sorted(out.glob("*.xlsx"))
    assert len(books) == 2
    for book in books:
        with zipfile.ZipFile(book) as archive:
            parts = [archive.read(name) for name in archive.namelist() if "sheet" in name]
        assert not any(re.search(rb"<f[ >]|TargetMode", part) for part in parts)
    header = zipfile.ZipFile(out / "判定用紙_A&G&P.xlsx").read("xl/worksheets/sheet1.xml")
    assert "A＆G＆P".encode() in header  # no picture, and no page number
    status, shown, _ = called("settle", *books, "--out", tmp_path / "settled")
    assert status == 0
    assert not _OBEYED.search(shown)


def test_an_evaluation_of_hostile_texts_computes_nothing_and_prints_no_markup(run, lines, tmp_path):
    qrels, book = tmp_path / "qrels.tsv", tmp_path / "評価.xlsx"
    judged = [(line["issue_id"], line["entries"][0]["company_id"]) for line in lines]
    content = "".join(f"{issue}\t0\t{company}\t3\n" for issue, company in judged)
    qrels.write_text(content, encoding="utf-8")
    told = ["evaluate", run.folder, qrels, "--out", book, "--issues", run.issues]
    markup = next(text for text in CONTROLS if text.startswith("[/"))
    status, shown, errors = called(*told, "--slice-by", f"{markup}列")
    assert (status, errors) == (0, "")
    assert not _OBEYED.search(shown)
    assert markup in shown
    with zipfile.ZipFile(book) as archive:
        parts = [archive.read(name) for name in archive.namelist() if "worksheets" in name]
    assert not any(re.search(rb"<f[ >]|TargetMode", part) for part in parts)


def test_outcomes_with_hostile_texts_print_and_write_nothing_that_acts(run, lines, tmp_path):
    rows = [
        {
            "課題ID": line["issue_id"], "企業ID": line["entries"][0]["company_id"],
            "結果": "成立" if n % 2 else text, "日付": text, "理由": text, "備考": text,
        }
        for n, (line, text) in enumerate(zip(lines, EVERY, strict=True))
    ]  # fmt: skip
    table = write_lines(tmp_path / "結果.jsonl", rows)
    told = ("outcomes", table, "--run", run.folder, "--out", tmp_path / "out")
    status, shown, errors = called(*told)
    assert (status, errors) == (0, "")
    assert not _OBEYED.search(shown)
    text = (tmp_path / "out" / "rejected.csv").read_bytes().decode("utf-8-sig")
    for row in csv.reader(io.StringIO(text, newline="")):
        assert len(row) == 8
        assert not any(cell.startswith(tuple("=+-@＝＋－＠\t\r")) for cell in row)


# The names of files and sheets


@pytest.mark.parametrize(
    ("name", "called_so"),
    [
        ("=1+1.csv", "計算式のようなファイル名（=1+1.csv）"),
        ("<img src=x onerror=alert(1)>.csv", "HTMLのタグのようなファイル名"),
        ("一\n二.csv", "改行の入ったファイル名"),
        ("赤\x1b[31m\x9b2J\u202e.csv", "端末の制御文字の入ったファイル名"),
        ("-rf.csv", "オプションのようなファイル名（-rf.csv）"),
        ("か\u3099き\u3099.csv", "濁点が分かれたファイル名（NFD）"),
        ("[bold]太字[link].csv", "richの書式のようなファイル名"),
    ],
)
def test_a_hostile_file_name_is_inert(name, called_so, tmp_path, quickly, monkeypatch, tried):
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / name, changed(ISSUES, 0, SDGs="18"))
    write_table(tmp_path / "companies.csv", COMPANIES)
    named = ("--", name) if name.startswith("-") else (name,)
    told = ("match", "--out", "out", "--no-reader", *named, "companies.csv")
    status, shown, errors = called(*told)
    assert status == 0, errors
    assert not _OBEYED.search(shown + errors)
    text = (tmp_path / "out" / "rejected.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {restore(row["file"]) for row in rows} == {wording.clean(name)}
    assert not any(row["file"].startswith(("=", "-")) for row in rows)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["issues"]["source"] == name
    (tmp_path / name).write_bytes(b"")
    status, _, errors = called("match", "--out", "out", "--overwrite", *named, "companies.csv")
    assert status == 2
    assert not _OBEYED.search(errors)
    assert len(errors.splitlines()) == 1
    tried(8, called_so, "読める。名前は文字のまま1行に出る。右は、中身が空のときの文", errors)


def test_a_hostile_sheet_name_is_inert(tmp_path, quickly):
    path = tmp_path / "課題.xlsx"
    with Workbook(path, {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("=1+1<b>&")
        for y, row in enumerate((list(ISSUES[0]), *(list(one.values()) for one in ISSUES))):
            for x, value in enumerate(row):
                sheet.write_string(y, x, "18" if (y, x) == (1, 5) else value)
    write_table(tmp_path / "companies.csv", COMPANIES)
    out = tmp_path / "out"
    told = ("match", path, tmp_path / "companies.csv", "--out", out, "--no-reader", "--quiet")
    assert called(*told)[0] == 0
    text = (out / "rejected.csv").read_bytes().decode("utf-8-sig")
    sheets = {row["sheet"] for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert "'=1+1<b>&" in sheets
