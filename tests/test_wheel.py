import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_wheel_carries_what_the_program_reads_at_run_time(tmp_path):
    # No isolation: the build back end is a test dependency, and nothing is fetched.
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packed = {name.removeprefix("matcher/data/") for name in names}
    assert packed >= {
        "issues.csv",
        "companies.csv",
        "qrels.tsv",
        "municipalities.csv",
        "prefectures.csv",
        "sdgs.csv",
        "sdgs_model.npz",
        "background.jsonl",
        "background_profiles.jsonl",
        "general.jsonl",
        "bridge.csv",
        "encoder.safetensors",
        "reader.safetensors",
    }
    assert not packed & {"triples.jsonl", "graded.tsv", "graded_second.tsv"}  # only for training
    assert "matcher/report/page.html" in names
