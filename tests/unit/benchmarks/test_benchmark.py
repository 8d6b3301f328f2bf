"""`invoke dev.bench`: its table, its comparison, and the input that it refuses."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks import results, run
from tests.support.layers import ROOT, docker, error_line
from toolbox import dev
from toolbox.errors import Failure

PROGRAM = [sys.executable, "-m", "benchmarks.run"]


def table(stock=(), ours=(), what="/health, p50", unit="ms", section="one client"):
    """Return a table with the samples of one row."""
    made = results.Table({"run": "full"})
    for side, samples in (("stock", stock), ("ours", ours)):
        for value in samples:
            made.add(section, what, unit, side, value)
    return made


def bench(folder, *arguments):
    """Run the program, with its results in a folder; return the result."""
    command = [*PROGRAM, "--to", folder, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def only_row(made):
    """Return the one row of a table."""
    [row] = made.rows.values()
    return row


# --- The table ---


def test_a_ratio_is_of_the_medians():
    row = only_row(table([40, 44, 90], [1, 2, 3]))
    assert (row.median("stock"), row.median("ours"), row.ratio) == (44, 2, 22)


def test_the_ratio_is_inverted_where_more_is_better():
    assert only_row(table([50], [100], unit="requests/s")).ratio == 2


def test_the_spread_is_that_of_the_ratios_of_the_rounds():
    assert only_row(table([40, 60, 50], [10, 10, 10])).spread == (4, 6)


@pytest.mark.parametrize(("stock", "ours"), [([21], [0]), ([0], [0]), ([], [3])])
def test_there_is_no_ratio_without_samples_or_to_zero(stock, ours):
    made = table(stock, ours, unit="errors", what="4 clients, errors")
    assert only_row(made).ratio is None
    assert "| - | - |" in made.markdown()


def test_a_table_is_read_back_as_it_was_written(tmp_path):
    made = table([44, 45], [1.5, 2])
    (tmp_path / "speed.json").write_text(made.json())
    read = results.load(tmp_path / "speed.json")
    assert (read.about, read.markdown()) == (made.about, made.markdown())


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (table([44], [2]), "met: 20 times better"),
        (table([44], [4]), "MISSED: 20 times better"),
        (table(ours=[4]), "not measured: 20 times better"),
        (table([44], [1], what="/health, p95"), ""),
        (table([2100], [419], what="mlflow, idle", unit="MiB", section="memory"), "met: 5 times better, at most 420"),
        (
            table([4200], [421], what="mlflow, idle", unit="MiB", section="memory"),
            "MISSED: 5 times better, at most 420",
        ),
        (table([9], [0], what="100 clients, errors", unit="errors", section="many clients"), "met: at most 0"),
    ],
)
def test_a_row_says_whether_its_target_is_met(made, verdict):
    assert made.verdict(only_row(made)) == verdict
    assert bool(made.missed()) == verdict.startswith("MISSED")


@pytest.mark.parametrize(("later", "word"), [(15, "met"), (16, "MISSED")])
def test_growth_is_measured_against_the_small_table(later, word):
    made = table(ours=[10], what="first page, 1,000 runs, p50", section="growth")
    made.add("growth", "first page, 100,000 runs, p50", "ms", "ours", later)
    assert made.verdict(made.rows["growth", "first page, 100,000 runs, p50"]).startswith(word)


# --- The comparison ---


def test_a_change_within_the_spread_is_not_reported():
    assert results.compare(table([44], [1, 2]), table([44], [1.9, 3])) == ["No change in 1 rows."]


def test_one_sample_has_to_change_more_than_several_to_be_reported():
    assert results.compare(table([44], [2]), table([44], [2.8])) == ["No change in 1 rows."]
    [line] = results.compare(table([44], [2, 2.1]), table([44], [2.8, 2.9]))
    assert "1.39 times worse" in line


@pytest.mark.parametrize(
    ("unit", "word"), [("ms", "worse; ratio 22, now 11"), ("requests/s", "better; ratio 0.0455, now 0.0909")]
)
def test_a_change_is_reported_with_its_direction(unit, word):
    [line] = results.compare(table([44], [2, 2.1, 1.9], unit=unit), table([44], [4, 4.1, 3.9], unit=unit))
    assert line == f"one client: /health, p50: ours 2, now 4 {unit}, 2 times {word}"


def test_a_first_error_is_reported_as_a_change():
    before, after = (table([9], ours, unit="errors") for ours in ([0], [7]))
    assert results.compare(before, after) == ["one client: /health, p50: ours 0, now 7 errors worse"]


def test_another_machine_and_rows_in_only_one_table_are_reported():
    before, after = table([44], [1]), table([44], [1], what="other")
    before.about["machine"] = "large"
    machine, *others = results.compare(before, after)
    assert machine.startswith("machine was large, and is None")
    assert others == ["No change in 0 rows.", "2 rows are in only one of the two."]


# --- What is refused ---

NOT_A_TABLE = {
    "no JSON": b"once upon a time",
    "no text": b"\xff\xfe",
    "another format": json.dumps({"format": "data-toolbox bench 0", "rows": []}).encode(),
    "no format": b"{}",
    "a list": b"[]",
    "no rows": json.dumps({"format": results.FORMAT}).encode(),
    "rows that are none": json.dumps({"format": results.FORMAT, "about": {}, "rows": [{"section": 1}]}).encode(),
}


@pytest.mark.parametrize("content", [pytest.param(it, id=name) for name, it in NOT_A_TABLE.items()])
def test_a_file_of_another_format_is_refused(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(Failure) as raised:
        results.load(path)
    assert str(path) in error_line(raised)


def test_a_missing_file_to_compare_with_is_refused_before_anything_is_built(tmp_path):
    ran = bench(tmp_path, "--compare", tmp_path / "none")
    assert (ran.returncode, ran.stdout) == (1, "")
    cause = f"{tmp_path}/none cannot be read (No such file or directory)"
    assert ran.stderr == f'FAIL: {cause}: name a speed.json that "invoke dev.bench" wrote.\n'


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--only", "weather"], 'there is no section "weather"'),
        (["--to", "/dev/null/results"], "/dev/null/results cannot be written to (Not a directory)"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_is_built(arguments, cause, tmp_path):
    ran = bench(tmp_path, *arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"FAIL: {cause}: ")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(("memory", "disk", "word"), [(1e9, 1e12, "memory"), (1e12, 1e9, "disk")])
def test_too_little_free_space_is_refused(memory, disk, word):
    with pytest.raises(Failure) as raised:
        run.check_space(memory, disk, quick=True)
    assert f"of {word}, 1.0 GB are free" in error_line(raised)


def test_a_quick_run_needs_less_free_space():
    between = (run.DISK + run.DISK_QUICK) // 2
    run.check_space(run.MEMORY, between, quick=True)
    with pytest.raises(Failure):
        run.check_space(run.MEMORY, between, quick=False)


def test_free_space_is_not_checked_if_it_is_unknown():
    run.check_space(None, None, quick=False)


def test_the_task_bench_replaces_its_process_with_the_program(monkeypatch):
    called = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(dev.os, "execv", lambda *arguments: called.append(arguments))
    dev.bench(docker(), quick=True, compare="old.json")
    [(python, arguments)] = called
    assert arguments == [*PROGRAM, "--quick", "--compare", os.path.abspath("old.json")]
    assert python == sys.executable


# --- The published figures ---

PUBLISHED = results.load(ROOT / "docs" / "speed.json")


def test_the_published_table_matches_the_published_figures():
    # Its headings are one level lower there.
    published = (ROOT / "docs" / "speed.md").read_text()
    assert PUBLISHED.markdown().replace("\n## ", "\n### ") in published


def test_the_published_figures_are_of_a_full_run_with_every_target():
    assert PUBLISHED.about["run"] == "full"
    assert [target for target in results.TARGETS if (target.section, target.what) not in PUBLISHED.rows] == []
