"""What people find in the notebook's container without doing anything: drivers, programs, fonts, a name, a home."""

import json

import pytest

from tests.support.copies import ROOT, TOKEN_HEADER

pytestmark = pytest.mark.stack

PROGRAMS = "bzip2 curl git less nano ps ssh top unzip vi wget xz"


def another(toolbox, *command, **settings):
    """Run a command in another container of the notebook, with other settings; return what it printed at the end."""
    run = ("docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "notebook")
    result = toolbox.run(*run, *command, **settings)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def unit(name):
    return (ROOT / "tests" / "inside" / name).read_text()


# --- Programs and packages ---


def test_the_programs_of_the_official_image_are_there(toolbox):
    missing = f"for name in {PROGRAMS}; do command -v $name > /dev/null || echo $name; done"
    assert toolbox.host("notebook").check_output(missing) == ""


def test_python_has_progress_bars_and_an_english_locale(toolbox):
    program = "import locale, tqdm.auto; print(locale.setlocale(locale.LC_ALL, 'en_US.UTF-8'))"
    assert toolbox.host("notebook").check_output(f'python -c "{program}"') == "en_US.UTF-8"


def test_wheels_find_openmp(toolbox):
    assert "libgomp.so.1" in toolbox.host("notebook").check_output("/sbin/ldconfig --print-cache")


def test_a_package_for_the_user_is_there_in_the_next_container_too(toolbox):
    assert toolbox.in_notebook("install_for_user.py", "inthehome").startswith("/home/jovyan/.local/lib/")
    try:
        for shell in (["sh", "-c"], ["bash", "--login", "-c"]):
            assert another(toolbox, *shell, "inthehome && python -m pip --version").splitlines()[0] == "from the home"
    finally:
        toolbox.compose("exec", "--no-TTY", "notebook", "pip", "uninstall", "--yes", "--quiet", "inthehome")


@pytest.mark.parametrize("driver", ["", "+psycopg2", "+psycopg"])
def test_sqlalchemy_connects_with_either_driver_and_without_naming_one(toolbox, driver):
    answer = toolbox.in_notebook("ask_database.py", f"postgresql{driver}:///datasets")
    assert answer == ["analyst", "datasets", ["a%", "ü"]]


def test_a_model_is_served_and_asked_with_no_argument_but_its_name(toolbox):
    assert toolbox.in_notebook("serve.py") == [[0, 1, 2]] * 3


# --- Letters ---


@pytest.mark.parametrize(
    "letters", ["学習曲線 ひらがな カタカナ", "学习曲线、訓練", "학습 곡선", "🚀🔥👍🧪🫠❤️", "Größe Ж β →"]
)
def test_a_picture_has_every_letter_and_nothing_warns(toolbox, letters):
    assert toolbox.in_notebook("draw.py", letters)["warnings"] == []


def test_an_older_home_forgets_its_list_of_fonts_and_keeps_a_newer_one(toolbox):
    folder = "/home/jovyan/.cache/matplotlib"
    make = f"mkdir -p {folder} && touch -d 2020-01-01 {folder}/fontlist-v1.json && touch {folder}/fontlist-v2.json"
    toolbox.host("notebook").check_output(make)
    listed = another(toolbox, "ls", folder).split()
    assert "fontlist-v1.json" not in listed
    assert "fontlist-v2.json" in listed
    toolbox.host("notebook").check_output(f"rm {folder}/fontlist-v2.json")


# --- Who it is ---


@pytest.mark.parametrize(
    ("number", "name"), [("1000", "jovyan"), ("1000", "ada"), ("4242", "ada@example.org"), ("33", "jürgen")]
)
def test_any_user_has_a_name_and_a_home(toolbox, number, name):
    program = "import os, pwd, getpass; print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir)"
    commands = f'whoami; echo ~{name}; python -c "{program}"; ssh -G example.org | grep "^user "'
    seen = another(toolbox, "sh", "-c", commands, NOTEBOOK_UID=number, NOTEBOOK_USER=name).splitlines()
    assert seen == [name, "/home/jovyan", f"{name} /home/jovyan", f"user {name}"]


def test_nobody_can_add_a_user(toolbox):
    owned = toolbox.host("notebook").check_output("stat -c %a:%U /etc/passwd; test -w /etc/passwd || echo read only")
    assert owned.splitlines() == ["444:root", "read only"]


# --- Proxies ---


def test_the_notebook_asks_mlflow_itself_and_what_is_outside_through_the_proxy(toolbox, tmp_path):
    proxies = {"httpProxy": "http://127.0.0.1:3128", "httpsProxy": "http://127.0.0.1:3128"}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": proxies}}))
    settings = {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "intranet.example.org"}
    seen = json.loads(another(toolbox, "python", "-c", unit("proxied.py"), **settings).splitlines()[-1])
    assert seen["requests"] == [f"http://outside.example.org/{by}" for by in ("urllib", "requests", "curl")]
    assert {"mlflow", "postgres", "localhost", "intranet.example.org"} <= set(seen["names"])


# --- The file browser ---


def test_a_folder_with_files_can_be_deleted_in_the_file_browser(toolbox):
    toolbox.host("notebook").check_output(
        "mkdir -p ~/full/inner && echo x > ~/full/inner/file && echo x > ~/full/.hidden"
    )
    status, answer = toolbox.request("DELETE", "notebook", "/api/contents/full", **TOKEN_HEADER)
    assert (status, answer) == (204, b"")
    assert toolbox.host("notebook").check_output("ls -d ~/full ~/.local/share/Trash 2>/dev/null || true") == ""
