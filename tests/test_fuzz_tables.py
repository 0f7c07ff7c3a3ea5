import random

import pytest
from fuzz_tables import Fuzz, check, forked, read
from mutate import mutant

from matcher.tables import workbooks
from matcher.types import Reading

# What was found: an ODS that breaks off, over which the parser never ends; a row that says it
# stands there a million times; rows in which nothing is left but what a workbook cannot hold.
FOUND = (
    "d1fc3aaf702352b1404a0234a2cdd77fa56469e30bca8c7ab122d2d4b11352115082d04197025fada98a5bb38c1b7829"
    "a89229335bc1ad3878a3276230401cd37a733e4b110bf620b70b2346b62b15610fe7aa9145a52bd86685d8fd94b9a738"
    "dd01c593e8222a713165fbe6f5de95e9c3085786776ac0bb53d8f980b703504eb5e8046a1d274a2d78ace973a24f73b0"
    "7245d4dc166be3e2",
    "f36f255224621c8d5044051e6b74b3d1ed7723f99e77a3da42ec114873c4c487b7c45e2f6807f50ec1cb5bd5203eb1c1"
    "5e2e72d9fc186de4e0d71941a9a4793a2f6b82271685d137dec967f5d677b3ff85d2c8",
)


@pytest.fixture
def fuzz(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "_told", forked)
    return Fuzz(tmp_path)


@pytest.mark.parametrize("found", FOUND)
def test_what_was_found_is_read_or_refused(tmp_path, found):
    assert read(bytes.fromhex(found), tmp_path)[0] in ("read", "refused")


def test_mutated_tables_are_read_or_refused_and_every_row_is_accounted_for(fuzz):
    rng = random.Random(7)
    for _ in range(300):
        fuzz.try_one(rng.randbytes(rng.randrange(8, 200)))
    assert fuzz.found == []
    assert set(fuzz.outcomes) == {"read", "refused"}
    assert fuzz.rows > 300


def test_a_mutant_is_the_same_for_the_same_bytes():
    assert [mutant(bytes([n] * 50)) for n in range(50)] == [
        mutant(bytes([n] * 50)) for n in range(50)
    ]


def test_what_the_fuzzer_looks_for_is_found(fuzz, monkeypatch):
    lost = Reading(source="", sha256="", rows=2, merged=0, rejected=0, records=(1,), faults=())
    with pytest.raises(AssertionError, match="do not add up"):
        check(lost, None)
    short = Reading(source="", sha256="", rows=1, merged=0, rejected=0, records=(1,), faults=())
    with pytest.raises(AssertionError, match="3 rows written, 1 and 0"):
        check(short, 3)
    monkeypatch.setattr("fuzz_tables.read", lambda *_: 1 / 0)
    fuzz.try_one(b"")
    assert fuzz.outcomes == {"traceback": 1}
