"""The notebook's container has the drivers, programs, fonts, user name and home that people expect."""

import json

import pytest

from tests.support.copies import ROOT, TOKEN_HEADER

pytestmark = pytest.mark.stack

PROGRAMS = "bzip2 curl git less nano ps ssh top unzip vi wget xz"


def run_in_new_container(toolbox, *command, **settings):
    """Run a command in a new container of the notebook, with other settings; return its output."""
    run = ("docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "notebook")
    result = toolbox.run(*run, *command, **settings)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def source(name):
    return (ROOT / "tests" / "inside" / name).read_text()


# --- Programs and packages ---


def test_the_notebook_has_the_programs_of_the_official_image(toolbox):
    missing = f"for name in {PROGRAMS}; do command -v $name > /dev/null || echo $name; done"
    assert toolbox.host("notebook").check_output(missing) == ""


def test_the_notebook_has_tqdm_and_an_english_locale(toolbox):
    program = "import locale, tqdm.auto; print(locale.setlocale(locale.LC_ALL, 'en_US.UTF-8'))"
    assert toolbox.host("notebook").check_output(f'python -c "{program}"') == "en_US.UTF-8"


def test_wheels_find_openmp_in_the_notebook(toolbox):
    assert "libgomp.so.1" in toolbox.host("notebook").check_output("/sbin/ldconfig --print-cache")


def test_a_package_installed_for_the_user_is_kept_with_a_new_container(toolbox):
    assert toolbox.in_notebook("install_for_user.py", "inthehome").startswith("/home/jovyan/.local/lib/")
    try:
        for shell in (["sh", "-c"], ["bash", "--login", "-c"]):
            assert (
                run_in_new_container(toolbox, *shell, "inthehome && python -m pip --version").splitlines()[0]
                == "from the home"
            )
    finally:
        toolbox.compose("exec", "--no-TTY", "notebook", "pip", "uninstall", "--yes", "--quiet", "inthehome")


@pytest.mark.parametrize("driver", ["", "+psycopg2", "+psycopg"])
def test_sqlalchemy_connects_with_each_driver_and_with_the_default(toolbox, driver):
    answer = toolbox.in_notebook("query_database.py", f"postgresql{driver}:///datasets")
    assert answer == ["analyst", "datasets", ["a%", "ü"]]


def test_a_model_can_be_served_and_queried_by_its_name_alone(toolbox):
    assert toolbox.in_notebook("serve.py") == [[0, 1, 2]] * 3


# --- Fonts ---


@pytest.mark.parametrize(
    "letters", ["学習曲線 ひらがな カタカナ", "学习曲线、訓練", "학습 곡선", "🚀🔥👍🧪🫠❤️", "Größe Ж β →"]
)
def test_figures_have_glyphs_for_every_script_without_warnings(toolbox, letters):
    assert toolbox.in_notebook("draw.py", letters)["warnings"] == []


def test_an_outdated_font_cache_in_the_home_is_deleted_and_a_newer_one_kept(toolbox):
    folder = "/home/jovyan/.cache/matplotlib"
    make = f"mkdir -p {folder} && touch -d 2020-01-01 {folder}/fontlist-v1.json && touch {folder}/fontlist-v2.json"
    toolbox.host("notebook").check_output(make)
    listed = run_in_new_container(toolbox, "ls", folder).split()
    assert "fontlist-v1.json" not in listed
    assert "fontlist-v2.json" in listed
    toolbox.host("notebook").check_output(f"rm {folder}/fontlist-v2.json")


# --- The user ---


@pytest.mark.parametrize(
    ("uid", "name"), [("1000", "jovyan"), ("1000", "ada"), ("4242", "ada@example.org"), ("33", "jürgen")]
)
def test_a_notebook_with_any_uid_has_a_user_name_and_a_home(toolbox, uid, name):
    program = "import os, pwd, getpass; print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir)"
    commands = f'whoami; echo ~{name}; python -c "{program}"; ssh -G example.org | grep "^user "'
    seen = run_in_new_container(toolbox, "sh", "-c", commands, NOTEBOOK_UID=uid, NOTEBOOK_USER=name).splitlines()
    assert seen == [name, "/home/jovyan", f"{name} /home/jovyan", f"user {name}"]


def test_etc_passwd_cannot_be_changed_in_the_notebook(toolbox):
    owned = toolbox.host("notebook").check_output("stat -c %a:%U /etc/passwd; test -w /etc/passwd || echo read only")
    assert owned.splitlines() == ["444:root", "read only"]


# --- Proxies ---


def test_the_notebook_uses_the_proxy_only_for_other_hosts_than_mlflow(toolbox, tmp_path):
    proxies = {"httpProxy": "http://127.0.0.1:3128", "httpsProxy": "http://127.0.0.1:3128"}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": proxies}}))
    settings = {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "intranet.example.org"}
    seen = json.loads(run_in_new_container(toolbox, "python", "-c", source("proxied.py"), **settings).splitlines()[-1])
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
