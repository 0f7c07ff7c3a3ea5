import json

import pytest

from matcher.errors import DataError, StaleCatalog
from matcher.shelf import check_files, manifest_of, read, read_manifest, replace


def put(folder, content):
    """A segment of one file, in place of the former one."""
    told = {"id": content}
    replace(folder, content, lambda staged: void((staged / "a").write_text(content)), told)


def void(_):
    return None


def content_of(segment, manifest):
    return (segment / "a").read_text(), manifest["id"]


def test_segment_and_manifest_take_the_place_of_the_former_ones(tmp_path):
    for content in ("one", "other"):
        put(tmp_path / "shelf", content)
        assert read(tmp_path / "shelf", content_of) == (content, content)
        assert len(list((tmp_path / "shelf").iterdir())) == 2


def test_reader_begins_anew_where_the_segment_went_meanwhile(tmp_path):
    put(tmp_path, "one")
    seen = []

    def slow(segment, manifest):
        seen.append(manifest["id"])
        if len(seen) == 1:
            put(tmp_path, "other")
        return content_of(segment, manifest)

    assert read(tmp_path, slow) == ("other", "other")
    assert seen == ["one", "other"]


def test_error_of_a_reader_whose_segment_is_still_there_is_its_own(tmp_path):
    put(tmp_path, "one")
    with pytest.raises(ZeroDivisionError):
        read(tmp_path, lambda *_: 1 // 0)


def test_files_are_checked_to_the_last_byte(tmp_path):
    put(tmp_path, "one")
    check_files(tmp_path)
    next(tmp_path.glob("segment-*/a")).write_text("onf")
    with pytest.raises(StaleCatalog, match="/a が"):
        check_files(tmp_path)


def test_manifest_that_was_edited_is_refused(tmp_path):
    put(tmp_path, "one")
    path = tmp_path / "manifest.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for edited in (told | {"id": "two"}, {name: told[name] for name in told if name != "seal"}):
        path.write_text(json.dumps(edited), encoding="utf-8")
        with pytest.raises(StaleCatalog, match="書き換えられて"):
            read_manifest(tmp_path)


def test_folder_without_a_manifest_is_no_catalog(tmp_path):
    assert manifest_of(tmp_path) is None
    with pytest.raises(DataError, match="カタログではありません"):
        read_manifest(tmp_path)
