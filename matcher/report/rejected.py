"""The list of problems in the tables, as a CSV that Excel opens."""

import csv
import io
from collections.abc import Iterable

from matcher.report.cells import cell_text
from matcher.types import Fault

HEADER = ("file", "sheet", "row", "column", "value", "severity", "problem", "remedy")


def rejected_csv(faults: Iterable[Fault]) -> bytes:
    """One line per problem, the header alone when there is none; UTF-8 with BOM, CRLF.

    What could be read as a formula is neutralised as in the workbook, and every cell is quoted: a
    program that takes `;` or a tab for a separator too finds no formula behind one.
    """
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\r\n").writerow(HEADER)
    writer = csv.writer(lines, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    for fault in faults:
        row = "" if fault.row is None else str(fault.row)
        texts = (fault.value, fault.severity, fault.problem, fault.remedy)
        writer.writerow(map(cell_text, (fault.file, fault.sheet, row, fault.column, *texts)))
    return lines.getvalue().encode("utf-8-sig")
