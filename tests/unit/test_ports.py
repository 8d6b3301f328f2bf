"""toolbox.ports: which ports are taken."""

import json
import socket

import pytest

from tests.support.copies import free_ports
from tests.support.layers import configuration, error_line
from toolbox import compose, ports
from toolbox.errors import Failure


@pytest.fixture
def free():
    """Three ports of this machine that nothing listens on."""
    return free_ports(3)


def test_free_ports_are_accepted(free):
    ports.check(configuration(ports=free), own=set())


@pytest.mark.parametrize("place", [0, 1, 2], ids=compose.SERVICES)
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_reported_with_its_setting(free, place, address):
    with socket.create_server((address, free[place])), pytest.raises(Failure) as raised:
        ports.check(configuration(ports=free), own=set())
    message = error_line(raised)
    assert f"port {free[place]}" in message
    assert f"set {compose.SERVICES[place].upper()}_PORT in .env" in message


def test_ports_that_the_toolbox_already_publishes_are_accepted(free):
    with socket.create_server(("127.0.0.1", free[0])):
        ports.check(configuration(ports=free), own={free[0]})


def test_a_port_with_a_connection_in_time_wait_is_free(free):
    with socket.create_server(("127.0.0.1", free[0])) as server:
        client = socket.create_connection(server.getsockname())
        answered, _ = server.accept()
        # The side that closes first keeps the port in TIME_WAIT.
        answered.close()
        client.close()
    assert not ports.is_taken("127.0.0.1", free[0])


@pytest.mark.parametrize("address", ["192.0.2.77", "240.0.0.1", "224.0.0.1"])
def test_an_address_that_this_machine_does_not_have_is_reported(free, address):
    config = configuration(ports=free)
    for service in compose.SERVICES:
        config["services"][service]["ports"][0]["host_ip"] = address
    with pytest.raises(Failure) as raised:
        ports.check(config, own=set(free))
    assert f"BIND_ADDRESS={address} is not an address of this machine" in error_line(raised)


def test_two_services_on_one_port_are_reported(free):
    with pytest.raises(Failure) as raised:
        ports.check(configuration(ports=(free[0], free[1], free[1])), own=set())
    message = error_line(raised)
    assert f"port {free[1]} is set for both mlflow and notebook" in message
    assert "set NOTEBOOK_PORT in .env" in message


def test_two_services_on_one_port_are_reported_while_the_toolbox_runs(free):
    with pytest.raises(Failure) as raised:
        ports.check(configuration(ports=(free[0], free[0], free[1])), own={free[0]})
    assert "set for both postgres and mlflow" in error_line(raised)


def test_published_ports_are_those_of_running_containers():
    # As Compose lists them: a stopped container has none or null, and a port that is only exposed has the number 0.
    lines = [
        {"Service": "postgres", "Publishers": [{"URL": "127.0.0.1", "TargetPort": 5432, "PublishedPort": 15432}]},
        {"Service": "mlflow", "Publishers": [{"URL": "", "TargetPort": 5000, "PublishedPort": 0}]},
        {"Service": "notebook", "Publishers": None},
    ]
    containers = compose.containers("\n".join(json.dumps(line) for line in lines))
    assert ports.published(containers) == {15432}
