"""toolbox.time_zones: whether every image knows the time zone in TZ."""

import pytest

import tasks
from tests.support.layers import changing_commands, commands, configuration, docker, error_line, fake_toolbox, user_env
from toolbox import compose, time_zones
from toolbox.errors import Failure

PROBE = "docker run .*--entrypoint head"
KNOWN = "TZif"


def with_zone(zone):
    """Return a configuration with a time zone."""
    config = configuration()
    config["services"]["postgres"]["environment"]["TZ"] = zone
    return config


def test_the_default_time_zone_is_not_checked():
    c = fake_toolbox(config=with_zone("UTC"))
    time_zones.check(c)
    assert [command for command in commands(c) if "docker run" in command] == []


def test_a_time_zone_that_every_image_knows_is_accepted():
    c = fake_toolbox({PROBE: KNOWN}, with_zone("Asia/Tokyo"))
    time_zones.check(c)
    probes = [command for command in commands(c) if "docker run" in command]
    assert [command.split()[-4] for command in probes] == [f"box-{service}" for service in compose.SERVICES]
    assert all(command.endswith("/usr/share/zoneinfo/Asia/Tokyo") for command in probes)


@pytest.mark.parametrize("service", compose.SERVICES)
@pytest.mark.parametrize("answer", ["", "# tz", False])
def test_a_time_zone_that_an_image_does_not_know_is_reported_before_the_start(tmp_path, monkeypatch, service, answer):
    user_env(tmp_path, monkeypatch)
    c = docker({f"{PROBE} box-{service} ": answer, PROBE: KNOWN, "docker image inspect": True}, with_zone("US/Pacific"))
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert f'TZ in .env is "US/Pacific", a time zone that {service} does not know' in error_line(raised)
    assert [command for command in changing_commands(c) if "--entrypoint head" not in command] == [
        "docker compose build"
    ]
