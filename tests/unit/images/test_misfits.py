"""jupyter-notebook-docker/misfits.py: whether added packages are compatible with the base image."""

import subprocess
import sys
from importlib.metadata import distributions

import pytest

from tests.support.layers import ROOT, program

misfits = program("jupyter-notebook-docker/misfits.py")


@pytest.fixture
def install(tmp_path):
    """A function that writes the metadata of packages, such as "mlflow 3.0", and their requirements; returns all."""

    def write(**packages):
        for number, (name, lines) in enumerate(packages.items()):
            version, *requirements = lines
            folder = tmp_path / f"{name}-{number}.dist-info"
            folder.mkdir()
            text = f"Metadata-Version: 2.1\nName: {name}\n" + (f"Version: {version}\n" if version else "")
            (folder / "METADATA").write_text(text + "".join(f"Requires-Dist: {line}\n" for line in requirements))
        return misfits.installed(distributions(path=[str(tmp_path)]))

    return write


def test_an_added_package_whose_requirement_is_missing_fails_and_both_are_named(install, capsys):
    with pytest.raises(SystemExit) as raised:
        misfits.check(install(added=["1.0", "absent>=2"]), ["added"])
    message = raised.value.code
    assert message.startswith("FAIL: added 1.0 requires absent>=2, which is not installed: ")
    assert "NOTEBOOK_BASE_IMAGE" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""


def test_an_added_package_that_needs_another_version_of_the_base_fails_with_both_versions(install):
    packages = install(added=["1.0", "Pandas_Like (<3,>=2)"], **{"pandas.like": ["3.0"]})
    with pytest.raises(SystemExit) as raised:
        misfits.check(packages, ["added"])
    assert "added 1.0 requires Pandas_Like<3,>=2, but 3.0 is installed" in raised.value.code


def test_conflicts_within_the_base_are_only_reported(install, capsys):
    packages = install(added=["1.0", "old"], old=["1.0", "other<2", "absent"], other=["2.0"], odd=["1.0", "not a name"])
    misfits.check(packages, ["added"])
    assert capsys.readouterr().out.splitlines() == [
        "In the base image old 1.0 requires other<2, but 2.0 is installed.",
        "In the base image old 1.0 requires absent, which is not installed.",
        "In the base image odd 1.0 requires not a name, which cannot be read.",
    ]


def test_all_conflicts_of_added_packages_are_in_one_line_and_those_of_the_base_are_reported(install, capsys):
    packages = install(one=["1.0", "absent"], two=["2.0", "base>1"], base=["1.0", "gone"])
    with pytest.raises(SystemExit) as raised:
        misfits.check(packages, ["one", "two"])
    conflicts = "one 1.0 requires absent, which is not installed; two 2.0 requires base>1, but 1.0 is installed: "
    assert conflicts in raised.value.code
    assert capsys.readouterr().out == "In the base image base 1.0 requires gone, which is not installed.\n"


@pytest.mark.parametrize(
    ("requirement", "version"),
    [
        ("there", "1.0"),
        ("there>=1,<2", "1.5"),
        ("there>=1", "2.0rc1"),
        ("there==1.0", "1.0+cu121"),
        ("there", "unknown"),
        ("there", ""),
        ("there @ https://example.org/there-1.0.tar.gz", "1.0"),
        ("absent; sys_platform == 'win32'", "1.0"),
        ("absent; python_version < '3'", "1.0"),
        ("absent; extra == 'mine'", "1.0"),
        ("absent; sys_platform != 'win32' and extra == 'mine'", "1.0"),
        ("there; platform_release != 'a' or platform_release == '5.x-odd'", "1.0"),
    ],
)
def test_a_requirement_is_met_or_does_not_apply(install, requirement, version):
    packages = install(added=["1.0", requirement], there=[version])
    assert list(misfits.misfits(packages, ["added"])) == []


@pytest.mark.parametrize(
    ("requirement", "version"),
    [
        ("there>=2", "2.0rc1"),
        ("there>1", "unknown"),
        ("there>1", ""),
        ("absent; sys_platform != 'win32'", "1.0"),
        ("there>=2; python_version >= '3.10' or extra == 'mine'", "1.0"),
    ],
)
def test_a_requirement_applies_and_is_not_met(install, requirement, version):
    packages = install(added=["1.0", requirement], there=[version])
    assert len(list(misfits.misfits(packages, ["added"]))) == 1


def test_the_requirements_of_an_extra_that_an_added_package_requests_apply(install):
    packages = install(
        added=["1.0", "base[Fast_Path]"],
        base=["1.0", "gone; python_version > '3'", "engine[more]; extra == 'fast-path'", "absent; extra == 'slow'"],
        engine=["1.0", "base[Fast_Path]; extra == 'more'", "part>=2; extra == 'more'"],
        part=["1.0"],
    )
    assert list(misfits.misfits(packages, ["added"])) == ["engine 1.0 requires part>=2, but 1.0 is installed"]


def test_the_requirements_of_an_extra_that_only_the_base_requests_are_only_reported(install, capsys):
    packages = install(added=["1.0"], user=["1.0", "base[x]"], base=["1.0", "absent; extra == 'x'"])
    misfits.check(packages, ["added"])
    assert capsys.readouterr().out == "In the base image base 1.0 requires absent, which is not installed.\n"


def test_the_remains_of_an_interrupted_installation_are_ignored(install, tmp_path):
    (tmp_path / "~umpy-1.0.dist-info").mkdir()
    assert list(install(added=["1.0"])) == ["added"]


def test_of_two_packages_with_one_name_the_first_is_used(install, tmp_path):
    install(**{"a.twin": ["1.0"], "A_Twin": ["2.0"]})
    one, other = distributions(path=[str(tmp_path)])
    assert misfits.installed([one, other])["a-twin"] is one
    assert misfits.installed([other, one])["a-twin"] is other


def test_the_program_checks_the_listed_packages_of_its_python(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("pytest==0.0 \\\n    --hash=sha256:aa\n    # via x\npywin32==1 ; sys_platform == 'win32' \\\n")
    assert misfits.listed(lock.read_text()) == ["pytest", "pywin32"]
    command = [sys.executable, ROOT / "jupyter-notebook-docker" / "misfits.py", lock]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
