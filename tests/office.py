"""A real LibreOffice, driven without a window: it converts, sorts and filters as people do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOFFICE = shutil.which("soffice")

# Runs under a Python that can import `uno`: LibreOffice's own, or the system's.
_SORT = """
import os, subprocess, sys, time, uno
from com.sun.star.beans import PropertyValue
from com.sun.star.table import TableSortField
from com.sun.star.sheet import TableFilterField

soffice, folder, profile, *sources = sys.argv[1:]

def named(name, value):
    one = PropertyValue(); one.Name = name; one.Value = value; return one

pipe = f"matcher{os.getpid()}"
office = subprocess.Popen([soffice, "--headless", "--norestore", "--nologo", "--nodefault",
    f"--accept=pipe,name={pipe};urp;", f"-env:UserInstallation=file://{profile}"])
context = uno.getComponentContext()
resolver = context.ServiceManager.createInstanceWithContext(
    "com.sun.star.bridge.UnoUrlResolver", context)
for _ in range(240):
    try:
        remote = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
        break
    except Exception:
        time.sleep(0.25)
else:
    office.kill()
    sys.exit("LibreOffice did not answer")
desktop = remote.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", remote)
try:
    for source in sources:
        stem = os.path.splitext(os.path.basename(source))[0]
        document = desktop.loadComponentFromURL(
            uno.systemPathToFileUrl(source), "_blank", 0, (named("Hidden", True),))
        sheet = document.Sheets.getByName("判定")
        cursor = sheet.createCursor()
        cursor.gotoEndOfUsedArea(False)
        last_row, last = cursor.RangeAddress.EndRow, cursor.RangeAddress.EndColumn
        headers = [sheet.getCellByPosition(x, 0).String for x in range(last + 1)]
        table = sheet.getCellRangeByPosition(0, 0, last, last_row)
        fields = []
        for header in ("評点", "企業の紹介"):
            field = TableSortField(); field.Field = headers.index(header); field.IsAscending = False
            fields.append(field)
        table.sort((named("ContainsHeader", True),
            named("SortFields", uno.Any("[]com.sun.star.table.TableSortField", tuple(fields)))))
        wanted = TableFilterField()
        wanted.Field = headers.index("評点"); wanted.IsNumeric = True; wanted.NumericValue = 3
        wanted.Operator = uno.Enum("com.sun.star.sheet.FilterOperator", "EQUAL")
        descriptor = table.createFilterDescriptor(True)
        descriptor.ContainsHeader = True
        descriptor.setFilterFields((wanted,))
        table.filter(descriptor)
        hidden = sum(not sheet.Rows.getByIndex(y).IsVisible for y in range(last_row + 1))
        for suffix, kind in (("xlsx", "Calc MS Excel 2007 XML"), ("ods", "calc8")):
            target = uno.systemPathToFileUrl(os.path.join(folder, f"{stem}.{suffix}"))
            document.storeToURL(target, (named("FilterName", kind),))
        document.close(True)
        print(hidden)
finally:
    try:
        desktop.terminate()
    except Exception:
        pass
    office.wait(30)
"""


def uno_python() -> str | None:
    """A Python that reaches LibreOffice from inside, if there is one."""
    if SOFFICE is None:
        return None
    beside = Path(SOFFICE).resolve().parent / "python"
    for candidate in (str(beside), "/usr/bin/python3", sys.executable):
        told = [candidate, "-c", "import uno"]
        if shutil.which(candidate) and not subprocess.run(told, capture_output=True).returncode:
            return candidate
    return None


def convert(path: Path, suffix: str, folder: Path) -> Path:
    """The file as LibreOffice stores it in another format, or anew in the same."""
    folder.mkdir(exist_ok=True)
    profile = folder / "profile"
    command = [SOFFICE or "soffice", f"-env:UserInstallation=file://{profile}", "--headless"]
    command += ["--convert-to", suffix, "--outdir", str(folder), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    return folder / f"{path.stem}.{suffix}"


def sort_and_filter(python: str, paths: list[Path], folder: Path) -> list[int]:
    """Sort and filter 判定 of each workbook, store it as xlsx and ods; how many rows each hides."""
    folder.mkdir(exist_ok=True)
    script = folder / "sort.py"
    script.write_text(_SORT, encoding="utf-8")
    command = [python, str(script), SOFFICE or "", str(folder), str(folder / "profile")]
    done = subprocess.run(
        [*command, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]
