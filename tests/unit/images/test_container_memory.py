"""The notebook's memory limit and killed processes, with either version of cgroups."""

import importlib.util

import pytest

from tests.support.copies import ROOT

SPEC = importlib.util.spec_from_file_location(
    "container_memory", ROOT / "jupyter-notebook-docker" / "lab" / "container_memory.py"
)
container_memory = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(container_memory)

EVENTS = {
    "memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}
LIMITS = ["memory.max", "memory/memory.limit_in_bytes"]


def written(folder, name, text):
    """Write a file of a cgroup; return the directory of the cgroup."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return folder


@pytest.mark.parametrize("name", EVENTS)
def test_processes_killed_for_memory_are_counted(tmp_path, name):
    assert container_memory.killed(written(tmp_path, name, EVENTS[name])) == 2


def test_an_old_kernel_without_the_counter_reports_no_killed_processes(tmp_path):
    assert container_memory.killed(written(tmp_path, "memory/memory.oom_control", "under_oom 0\n")) == 0


@pytest.mark.parametrize("name", LIMITS)
def test_the_memory_limit_is_that_of_the_container(tmp_path, name):
    assert container_memory.limit(written(tmp_path, name, "4294967296\n")) == 4 << 30


def test_a_container_without_a_memory_limit_reports_0(tmp_path):
    assert container_memory.limit(written(tmp_path, "memory.max", "max\n")) == 0


def test_a_machine_without_cgroups_reports_no_limit_and_no_killed_processes(tmp_path):
    assert (container_memory.limit(tmp_path), container_memory.killed(tmp_path)) == (0, 0)
