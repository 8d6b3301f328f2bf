"""The published ports, and whether other programs use them."""

import errno
import ipaddress
import socket

from .compose import SERVICES, address
from .errors import Failure

# The settings of the ports, and their defaults.
DEFAULTS = {"NOTEBOOK_PORT": 8888, "MLFLOW_PORT": 5000, "POSTGRES_PORT": 5432}
# How far above them free ports are searched.
FARTHEST = 1000


def check(config, own):
    """Raise Failure when a port is taken by another program, or BIND_ADDRESS is not an address of this machine.

    `own` has the ports that running containers of this project already publish.
    """
    seen = {}
    for service in SERVICES:
        host, port = address(config, service)
        if not is_local(host):
            raise Failure(f"BIND_ADDRESS={host} is not an address of this machine: set it in .env to one that is.")
        remedy = f"set {service.upper()}_PORT in .env to a free one."
        if port in seen:
            raise Failure(f"port {port} is set for both {seen[port]} and {service}: {remedy}")
        if port not in own and is_taken(host, port):
            raise Failure(f"port {port} on {host}, for {service}, is taken by another program: {remedy}")
        seen[port] = service


def check_loopback(config):
    """Raise Failure when a service would be published beyond this machine."""
    for service in SERVICES:
        host, _ = address(config, service)
        if not ipaddress.ip_address(host).is_loopback:
            raise Failure(
                f"BIND_ADDRESS={host} would expose the services to the network, MLflow without a login and all without "
                'encryption: remove it from .env and use "ssh -L", or add --insecure.'
            )


def is_local(host):
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
        # Try to connect first: macOS allows to bind to one address while a program, such as AirPlay, listens on all.
        probe.settimeout(1)
        if probe.connect_ex((host, port)) == 0:
            return True
    with socket.socket() as probe:
        # As servers do, so that connections in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def published(containers):
    """Return the set of ports that `containers`, as Toolbox.containers returns them, publish."""
    return {
        port["PublishedPort"] for container in containers.values() for port in container.get("Publishers") or ()
    } - {0}


def free(reserved, taken=None):
    """Return free ports for another toolbox, by setting, all at the same distance from their defaults.

    None is in `reserved`, or taken according to the function `taken` (by default is_taken on 127.0.0.1).
    Raises Failure when there are none.
    """
    taken = taken or (lambda port: is_taken("127.0.0.1", port))
    for distance in range(1, FARTHEST):
        found = {name: port + distance for name, port in DEFAULTS.items()}
        if not reserved & set(found.values()) and not any(map(taken, found.values())):
            return found
    raise Failure(
        f"no ports are free up to {FARTHEST} above {', '.join(map(str, DEFAULTS.values()))}: stop what uses them."
    )
