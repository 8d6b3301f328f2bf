"""Which of the ports that the toolbox wants are taken by others."""

import errno
import ipaddress
import socket

from .compose import SERVICES, address
from .errors import Failure

# The settings of the ports, and what they are without.
DEFAULTS = {"NOTEBOOK_PORT": 8888, "MLFLOW_PORT": 5000, "POSTGRES_PORT": 5432}
# How far from them a free one is looked for.
FARTHEST = 1000


def check(config, own):
    """Raise Failure when a port that the toolbox publishes is taken by others, or its address is not of this machine.

    `own` holds the ports that this project's running containers publish already.
    """
    seen = {}
    for service in SERVICES:
        host, port = address(config, service)
        if not is_own(host):
            raise Failure(f"BIND_ADDRESS={host} is not an address of this machine: set it in .env to one that is.")
        remedy = f"set {service.upper()}_PORT in .env to a free one."
        if port in seen:
            raise Failure(f"port {port} is wanted by both {seen[port]} and {service}: {remedy}")
        if port not in own and is_taken(host, port):
            raise Failure(f"port {port} on {host}, for {service}, is taken by another program: {remedy}")
        seen[port] = service


def check_loopback(config):
    """Raise Failure when a service would be published beyond this machine."""
    for service in SERVICES:
        host, _ = address(config, service)
        if not ipaddress.ip_address(host).is_loopback:
            raise Failure(
                f"BIND_ADDRESS={host} would let in whoever reaches this machine, MLflow has no login and nothing is "
                'encrypted: take it out of .env and use "ssh -L", or add --insecure.'
            )


def is_own(host):
    """Return whether `host` is an IPv4 address of this machine on which something can listen."""
    if ipaddress.ip_address(host).is_multicast:
        return False
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def is_taken(host, port):
    """Return whether something listens on the TCP port of this machine's address `host`."""
    with socket.socket() as probe:
        # On a Mac one can bind to one address beside a program that listens on all, as AirPlay does; so knock first.
        probe.settimeout(1)
        if probe.connect_ex((host, port)) == 0:
            return True
    with socket.socket() as probe:
        # As servers do, so that a connection that just ended does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def published(containers):
    """Return the set of ports that `containers` publish, which map services to what `docker compose ps` lists."""
    return {
        port["PublishedPort"] for container in containers.values() for port in container.get("Publishers") or ()
    } - {0}


def free(reserved, taken=None):
    """Return ports for a toolbox beside others, by the names of their settings, each equally far from its default.

    None is one of the ports `reserved`, or one of which `taken`, a function, says so (is_taken on 127.0.0.1).
    Raises Failure when there are none.
    """
    taken = taken or (lambda port: is_taken("127.0.0.1", port))
    for distance in range(1, FARTHEST):
        found = {name: port + distance for name, port in DEFAULTS.items()}
        if not reserved & set(found.values()) and not any(map(taken, found.values())):
            return found
    raise Failure(
        f"no ports are free up to {FARTHEST} above {', '.join(map(str, DEFAULTS.values()))}: stop what takes them."
    )
