"""toolbox.images: which base images have to be built here."""

import re

import pytest

from tests.support.layers import NO_REGISTRY, OFFICIAL, ROOT, configuration, error_line
from toolbox import images
from toolbox.compose import SERVICES
from toolbox.errors import Failure

MIRROR = OFFICIAL | {"mlflow": "mirror.example.org/python:3.13"}
UNKNOWN = "Error response from daemon: manifest for python:9 not found: manifest unknown: manifest unknown\n"
FORBIDDEN = "Error response from daemon: Head ...: denied: requested access to the resource is denied\n"
PRIVATE = (
    "Error response from daemon: pull access denied for x, repository does not exist or may require 'docker login'\n"
)
LIMIT = "Error response from daemon: toomanyrequests: You have reached your pull rate limit.\n"
NO_SPACE = "a: Pulling fs layer\nb: Waiting\nfailed to register layer: write /x: no space left on device\n"


def absent(chosen=OFFICIAL, there=(), answer=None):
    """Return what has to be built and what was pulled, where pulling fails with `answer`, or succeeds without one."""
    pulled = []

    def pull(image):
        pulled.append(image)
        return answer is None, answer or ""

    config = configuration(bases=chosen)
    return images.absent(config, OFFICIAL, has=lambda image: image in there, pull=pull), pulled


def test_images_that_exist_are_not_pulled():
    assert absent(there=OFFICIAL.values(), answer=NO_REGISTRY) == ([], [])


def test_images_that_can_be_pulled_are_not_built():
    assert absent(there=[OFFICIAL["mlflow"]]) == ([], [OFFICIAL["postgres"], OFFICIAL["notebook"]])


@pytest.mark.parametrize(
    "answer",
    [
        NO_REGISTRY,
        "Error response from daemon: Get ...: dial tcp 192.0.2.1:443: connect: connection refused",
        "Error response from daemon: Get ...: dial tcp 192.0.2.1:443: i/o timeout",
        "Error response from daemon: Get ...: context deadline exceeded (Client.Timeout exceeded)",
        "Error response from daemon: Get ...: dial tcp: connect: network is unreachable",
        "Error response from daemon: Get ...: net/http: TLS handshake timeout",
    ],
    ids=["unknown host", "refused", "timeout", "deadline", "no network", "TLS timeout"],
)
def test_official_images_are_built_where_no_registry_answers(answer):
    assert absent(answer=answer) == (list(SERVICES), list(OFFICIAL.values()))


def test_a_missing_substitute_is_built_and_never_pulled():
    substitute = images.SUBSTITUTES["mlflow"].image
    there = [OFFICIAL["postgres"], OFFICIAL["notebook"]]
    assert absent(chosen=OFFICIAL | {"mlflow": substitute}, there=there) == (["mlflow"], [])


@pytest.mark.parametrize(
    ("chosen", "answer", "remedy"),
    [
        pytest.param(OFFICIAL, UNKNOWN, "does not exist: correct MLFLOW_BASE_IMAGE in .env", id="unknown"),
        pytest.param(MIRROR, UNKNOWN, "does not exist: correct MLFLOW_BASE_IMAGE in .env", id="chosen and unknown"),
        pytest.param(OFFICIAL, FORBIDDEN, "docker login, or set MLFLOW_BASE_IMAGE in .env", id="forbidden"),
        pytest.param(MIRROR, PRIVATE, "docker login, or set MLFLOW_BASE_IMAGE in .env", id="private or unknown"),
        pytest.param(OFFICIAL, LIMIT, "docker login, or set MLFLOW_BASE_IMAGE in .env", id="over the limit"),
        pytest.param(
            MIRROR, NO_REGISTRY, "check MLFLOW_BASE_IMAGE in .env, and the network", id="chosen and unreachable"
        ),
        pytest.param(OFFICIAL, NO_SPACE, "no space left on device", id="another reason"),
    ],
)
def test_an_image_that_is_not_available_for_another_reason_is_an_error(chosen, answer, remedy):
    with pytest.raises(Failure) as raised:
        absent(chosen=chosen, there=[OFFICIAL["postgres"]], answer=answer)
    message = error_line(raised)
    assert f"{chosen['mlflow']} of mlflow" in message
    assert remedy in message


def test_the_progress_of_a_pull_is_not_in_the_message():
    assert "Pulling fs layer" not in images.explain("mlflow", "python", NO_SPACE)


def test_substitutes_have_the_names_that_build_bases_gives_them():
    script = (ROOT / "bare-machine" / "build-bases").read_text()
    prefix = re.search(r"^prefix=(.+)$", script, flags=re.M)[1]
    tags = {
        name: tag.replace("$prefix", prefix)
        for name, tag in re.findall(r'^ +(\S+)\) echo "(.+)" ;;$', script, flags=re.M)
    }
    substitutes = [*images.SUBSTITUTES.values(), images.OLD_POSTGRES]
    assert tags == {substitute.name: substitute.image for substitute in substitutes}
    below = {f"{prefix}/debian:{suite}" for suite in re.findall(r"^ +\S+\) echo (\w+) ;;$", script, flags=re.M)}
    assert {*tags.values(), *below} == set(images.BUILT_HERE)


def test_no_substitute_has_a_name_that_a_registry_could_serve():
    assert all(image.startswith("localhost/") for image in images.BUILT_HERE)
