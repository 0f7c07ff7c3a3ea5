"""Workbooks written byte by byte: what no honest program writes, and what few can write."""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8"?>'


def archive(entries: Mapping[str, str | bytes]) -> bytes:
    """A zip of these entries."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in entries.items():
            written.writestr(name, content)
    return data.getvalue()


def xlsx(rows: str, *, doctype: str = "", more: Mapping[str, str | bytes] | None = None) -> bytes:
    """A workbook of one sheet with these rows in XML, a doctype before it, and further entries."""
    sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return archive(
        {
            "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
            'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>'
            "</Types>",
            "_rels/.rels": _relations(("rId1", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            '<sheet name="課題" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _relations(
                ("rId1", "worksheet", "worksheets/sheet1.xml"),
                ("rId2", "sharedStrings", "sharedStrings.xml"),
            ),
            "xl/worksheets/sheet1.xml": f"{_XML}{doctype}{sheet}",
            **(more or {}),
        }
    )


def cells(number: int, texts: Sequence[str]) -> str:
    """A row of XML with these texts, which may hold entities, in its first columns."""
    inner = "".join(cell(number, at, text) for at, text in enumerate(texts))
    return f'<row r="{number}">{inner}</row>'


def cell(number: int, column: int, text: str) -> str:
    """A cell of XML."""
    place = f"{_letters(column)}{number}"
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def ods(table: str, *, is_whole: bool = True) -> bytes:
    """An ODS of one sheet with these rows in XML; it may break off behind them."""
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    end = "</table:table></office:spreadsheet></office:body></office:document-content>"
    content = (
        f"<office:document-content{spaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="課題">{table}{end if is_whole else ""}'
    )
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    return archive({"mimetype": mime, "content.xml": content, "META-INF/manifest.xml": "<m/>"})


def ods_row(texts: Sequence[str], attributes: str = "") -> str:
    """A row of an ODS in XML; its texts may hold entities."""
    inner = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
        for text in texts
    )
    return f"<table:table-row{attributes}>{inner}</table:table-row>"


def xlsb(rows: Sequence[Sequence[str]]) -> bytes:
    """A binary workbook of one sheet with these texts."""
    book = _record(131) + _record(143)
    book += _record(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("課題"))
    book += _record(144) + _record(132)
    sheet = _record(129)
    sheet += _record(148, struct.pack("<4I", 0, len(rows) - 1, 0, max(1, *map(len, rows)) - 1))
    sheet += _record(145)
    for y, row in enumerate(rows):
        sheet += _record(0, struct.pack("<IIHBBBI", y, 0, 300, 0, 0, 0, 0))
        for x, text in enumerate(row):
            sheet += _record(6, struct.pack("<II", x, 0) + _wide(text))
    sheet += _record(146) + _record(130)
    binary = "application/vnd.ms-excel"
    return archive(
        {
            "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
            'relationships+xml"/>'
            f'<Override PartName="/xl/workbook.bin" ContentType="{binary}.sheet.binary.'
            'macroEnabled.main"/>'
            f'<Override PartName="/xl/worksheets/sheet1.bin" ContentType="{binary}.worksheet"/>'
            "</Types>",
            "_rels/.rels": _relations(("rId1", "officeDocument", "xl/workbook.bin")),
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": _relations(
                ("rId1", "worksheet", "worksheets/sheet1.bin")
            ),
            "xl/worksheets/sheet1.bin": sheet,
        }
    )


def _relations(*told: tuple[str, str, str]) -> str:
    inner = "".join(
        f'<Relationship Id="{id_}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for id_, kind, target in told
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _letters(column: int) -> str:
    found = ""
    column += 1
    while column:
        column, at = divmod(column - 1, 26)
        found = chr(65 + at) + found
    return found


def _record(kind: int, data: bytes = b"") -> bytes:
    name = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    size, told = len(data), b""
    while True:
        told += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if not size:
            return name + told + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")
