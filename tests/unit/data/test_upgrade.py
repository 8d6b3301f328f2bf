"""toolbox/data/upgrade.py: versions, images and the volume of an upgrade to another major version of Postgres."""

import pytest

from tests.support.layers import error_line, fake_toolbox
from toolbox import images
from toolbox.data import upgrade
from toolbox.errors import Failure


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("postgres:17-alpine", "postgres:15-alpine"),
        ("postgres:17.6-alpine3.22", "postgres:15-alpine3.22"),
        ("mirror.example:5000/library/postgres:17", "mirror.example:5000/library/postgres:15"),
        (images.SUBSTITUTES["postgres"].image, images.OLD_POSTGRES.image),
    ],
)
def test_the_image_for_the_old_volume_is_the_current_one_with_the_old_version(image, expected):
    assert upgrade.older(image, 15) == expected


@pytest.mark.parametrize(
    "image", ["postgres", "postgres:latest", "mirror.example:5000/postgres", "postgres:17@sha256:0"]
)
def test_an_image_without_a_version_in_its_tag_needs_old_base(image):
    with pytest.raises(Failure) as raised:
        upgrade.older(image, 15)
    assert "--old-base, an image of Postgres 15" in error_line(raised)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("15\npostgres (PostgreSQL) 17.6 (Debian 17.6-1)\n", (15, 17)),
        ("postgres (PostgreSQL) 17.6\n", (None, 17)),
        ("17\npostgres (PostgreSQL) 18beta1\n", (17, 18)),
    ],
    ids=["another", "an empty volume", "a beta"],
)
def test_the_versions_of_volume_and_image_are_read_from_a_container(printed, expected):
    assert upgrade.versions(fake_toolbox({"docker compose run": printed})) == expected


def test_an_image_that_does_not_run_is_not_taken_for_an_empty_volume():
    with pytest.raises(Failure) as raised:
        upgrade.versions(fake_toolbox({"docker compose run": False}))
    assert "cannot determine" in error_line(raised)


def test_the_name_of_the_new_volume_is_not_taken():
    assert upgrade.unused_name(17, ["box_db-store"], "box") == "db-store-17"
    assert upgrade.unused_name(17, ["box_db-store-17", "box_db-store-17-2"], "box") == "db-store-17-3"
