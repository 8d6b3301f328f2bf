"""The checks of `invoke doctor`, each of which yields findings and changes nothing.

Problems that a start reports or repairs by itself are left to `invoke up`.
"""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal as human_size

from . import compose, credentials, dotenv, engine, health, images, ports, service_status, settings, work_folder
from .errors import Failure

# Warn if fewer bytes are free: the database's write-ahead log may take 1 GB, and a model as much.
LEAST_FREE = 5_000_000_000

# Strings in the firmware of cloud machines, the same as in cloud-init. Each cloud has a metadata service at METADATA,
# some of which give credentials to any program on the machine.
CLOUDS = {
    "Amazon EC2": "Amazon",
    "Google Compute Engine": "Google",
    "7783-7084-3265-9085-8269-3286-77": "Azure",
    "OracleCloud.com": "Oracle",
    "DigitalOcean": "DigitalOcean",
    "Hetzner": "Hetzner",
    "OpenStack": "OpenStack",
    "Alibaba Cloud": "Alibaba",
}
METADATA = "169.254.169.254"
DMI = Path("/sys/class/dmi/id")


class Finding(NamedTuple):
    """One line: the level (`ok`, `warn` or `FAIL`), the check, and the result, with the remedy."""

    level: str
    check: str
    text: str

    def __str__(self):
        return f"{self.level:4}  {self.check:9}  {self.text}"


def show(toolbox):
    """Print each finding as soon as it is known; return whether there is no problem."""
    findings = []
    for finding in examine(toolbox):
        toolbox.say(str(finding))
        findings.append(finding)
    print(f"\n{conclusion(findings)}")
    return not has_failed(findings)


def examine(toolbox):
    """Run CHECKS in their order, and yield their findings. Raises nothing.

    Stops without an engine, or without settings that Compose can read, which all later checks need.
    """
    for name, check in CHECKS.items():
        try:
            yield from (Finding(level, name, text) for level, text in check(toolbox))
        except Failure as failure:
            yield Finding("FAIL", name, reason(failure))
            if name in ("engine", "settings"):
                return
        except Exception as error:
            # Other checks may find the cause. The text of the error may contain a secret, its name cannot.
            yield Finding("FAIL", name, f"cannot be checked ({type(error).__name__}): look at the other lines.")


def has_failed(findings):
    """Return whether there is a problem among the findings."""
    return any(finding.level == "FAIL" for finding in findings)


def conclusion(findings):
    """Return the last line, a summary of the findings."""
    failed = [finding.check for finding in findings if finding.level == "FAIL"]
    warned = [finding.check for finding in findings if finding.level == "warn"]
    if failed:
        return f"{counted(len(failed), 'problem')}: begin with the first FAIL, {failed[0]}."
    if warned:
        return f"No problem, but {counted(len(warned), 'warning')}: see {', '.join(dict.fromkeys(warned))}."
    return "All is well."


def counted(number, noun):
    """Return a number and a noun, in the plural if necessary."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def reason(failure):
    """Return the message of a Failure without `FAIL: `."""
    return str(failure.message).removeprefix("FAIL: ")


# --- This machine and the settings ---


def check_env(toolbox):
    """Check that only its owner can read secrets in .env, and that all its variables are known."""
    if not toolbox.env.exists():
        yield "ok", "not present: all settings have their defaults"
        return
    written, mode = dotenv.values(dotenv.read(toolbox.env)), toolbox.env.stat().st_mode & 0o777
    known = known_variables(
        (toolbox.root / "docker-compose.yml").read_text(), (toolbox.root / ".env.example").read_text()
    )
    yield from [*env_found(written, mode, known)] or [("ok", f"mode {mode:04o}, {counted(len(written), 'variable')}")]


def known_variables(compose_file, example):
    """Return the known variables; the arguments are the texts of docker-compose.yml and .env.example."""
    return {*re.findall(r"\$\{(\w+)", compose_file), *dotenv.defaults(example)}


def env_found(written, mode, known):
    """Find secrets that others can read, and unknown variables; `written` are the values of .env, by name."""
    if mode & 0o077 and any(written.get(name) for name in compose.SECRETS):
        yield "FAIL", f'mode {mode:04o}, other users of this machine can read the passwords: "chmod 600 .env".'
    for name in written:
        if name not in known and not name.startswith("COMPOSE_"):
            yield "warn", f"{name} is set, but nothing reads it: correct its name, or remove the line."


def check_cloud(toolbox):
    """Check that notebooks cannot get this machine's credentials from its cloud."""
    cloud = cloud_of(" ".join(read(DMI / name) for name in ("sys_vendor", "product_name", "chassis_asset_tag")))
    # Without permission to list the rules, warn in any case.
    if cloud and METADATA not in toolbox.run("iptables", "--list-rules", "DOCKER-USER").stdout:
        remedy = "docs/security.md has the rule that forbids it"
        yield "warn", f"notebooks can get credentials of this machine from {cloud}, at {METADATA}: {remedy}."
    else:
        yield "ok", "notebooks cannot get credentials of this machine from a known cloud"


def read(path):
    """Return the text of a small file; empty if it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def cloud_of(firmware):
    """Return the cloud that a machine runs in, from its firmware strings, or None."""
    return next((cloud for mark, cloud in CLOUDS.items() if mark in firmware), None)


def check_engine(toolbox):
    """Check that Docker answers and is new enough."""
    engine.check(toolbox.run)
    commands = {
        "Docker Engine": ["docker", "version", "--format", "{{.Server.Version}}"],
        "Compose": ["docker", "compose", "version", "--short"],
        "buildx": ["docker", "buildx", "version"],
    }
    versions = {name: service_status.version_number(toolbox.run(*command).stdout) for name, command in commands.items()}
    yield "ok", ", ".join(f"{name} {version or 'of unknown version'}" for name, version in versions.items())


def check_settings(toolbox):
    """Check the values of the settings, and that the data do not belong to another clone."""
    wrong = settings.found(toolbox)
    yield from (("FAIL", text) for text in wrong)
    toolbox.own_containers()
    if not wrong:
        yield "ok", f"project {toolbox.project}"


# --- The toolbox ---


def check_ports(toolbox):
    """Check that the ports are free or published by this toolbox, and only on this machine."""
    own = ports.published(toolbox.containers())
    try:
        ports.check_loopback(toolbox.config)
    except Failure as failure:
        yield "warn", reason(failure)
    ports.check(toolbox.config, own)
    addresses = [compose.address(toolbox.config, service) for service in compose.SERVICES]
    yield "ok", ", ".join(f"{host}:{port} {'is ours' if port in own else 'is free'}" for host, port in addresses)


def check_services(toolbox):
    """Check that all services are healthy."""
    yield from services_found(toolbox.containers())


def services_found(containers):
    """Find which services are not healthy; `containers` are as Toolbox.containers returns them."""
    states = {service: health.state(containers.get(service)) for service in compose.SERVICES}
    if set(states.values()) == {"down"}:
        yield "warn", 'the toolbox is not running: "invoke up" starts it.'
        return
    problems = []
    for service in compose.ONE_SHOTS:
        if health.has_failed(containers.get(service)):
            problems.append(("FAIL", f'{service} has failed: "invoke logs --service {service}" shows why.'))
    for service, state in states.items():
        if state == "running starting":
            problems.append(("warn", f"{service} is starting: wait, and check again."))
        elif state != "running healthy":
            remedy = f'"invoke up" starts it, "invoke logs --service {service}" shows why'
            problems.append(("FAIL", f"{service} is not healthy ({state}): {remedy}."))
    yield from problems or [("ok", f"{', '.join(states)} are healthy")]


def check_memory(toolbox):
    """Check whether programs were killed because their container was out of memory."""
    remarks = service_status.remarks(service_status.gather(toolbox))
    yield from [("warn", remark) for remark in remarks] or [("ok", "no program was killed for lack of memory")]


def check_images(toolbox):
    """Check that the containers were built on the base images of the current settings."""
    yield from images_found(toolbox.config, images.bases(toolbox))


def images_found(config, bases):
    """Find containers whose base image, in `bases` by service, is not the one of the configuration."""
    wanted = {service: compose.base_image(config, service) for service in compose.SERVICES}
    problems = [
        ("warn", f'{service} was built on {bases[service]} and not on {image}: "invoke up" rebuilds it.')
        for service, image in wanted.items()
        if bases.get(service, image) != image
    ]
    yield from problems or [("ok", ", ".join(wanted.values()))]


def check_volumes(toolbox):
    """Check that each volume belongs to the user of its service, and that there is space on the disk."""
    free = []
    for volume, (service, folder) in mounts(toolbox.config).items():
        image = f"{toolbox.project}-{service}"
        if not (toolbox.has("volume", volume) and toolbox.has("image", image)):
            continue
        probed = toolbox.run(*probe(volume, folder, image, toolbox.config["services"][service].get("user")))
        if not probed:
            raise Failure(f"{volume} cannot be inspected in a container of {image}: see the log of Docker.")
        owner, user, kilobytes = probed.stdout.split()
        free.append(int(kilobytes) * 1024)
        if owner != user:
            place = f"--volume {volume}:{folder}"
            remedy = f"docker run --rm --user 0 {place} --entrypoint chown {image} -R {user} {folder}"
            yield "FAIL", f'{volume} belongs to user {owner}, but {service} runs as {user}: "{remedy}".'
    if free:
        yield disk_found(min(free))


def mounts(config):
    """Return the volumes that services write to: by full name, the first service and its mount point."""
    found = {}
    for service in (*compose.SERVICES, *compose.ONE_SHOTS):
        for mount in config["services"].get(service, {}).get("volumes", []):
            if mount["type"] == "volume" and not mount.get("read_only"):
                found.setdefault(config["volumes"][mount["source"]]["name"], (service, mount["target"]))
    return found


def probe(volume, folder, image, user):
    """Return the command that prints the owner of a volume, the user of its service, and the free kB of its disk.

    `user` is the user of the service, if that is not the one of its image. The command runs in a new, read-only
    container, because a service that cannot write to its volume does not run.
    """
    quoted = shlex.quote(folder)
    script = f"stat -c %u {quoted} && id -u && df -Pk {quoted} | tail -1 | awk '{{print $4}}'"
    options = ["--rm", "--pull", "never", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    place = f"type=volume,source={volume},target={folder},readonly,volume-nocopy"
    options += ["--user", user] if user else []
    return ["docker", "run", *options, "--mount", place, "--entrypoint", "sh", image, "-c", script]


def disk_found(free):
    """Return the level and the text for a number of free bytes."""
    if free < LEAST_FREE:
        remedy = 'free some, "docker system df" shows what Docker uses'
        return "warn", f"{human_size(free)} free for the volumes, less than {human_size(LEAST_FREE)}: {remedy}."
    return "ok", f"{human_size(free)} free for the volumes"


def check_folder(toolbox):
    """Check that WORK_FOLDER exists, if it is set."""
    if folder := work_folder.folder(toolbox.config):
        work_folder.check(toolbox.config)
        yield "ok", f"{folder} is ~/work"


def check_passwords(toolbox):
    """Check that each role can log in with its password."""
    if not health.state(toolbox.containers().get("postgres")).startswith("running"):
        return
    if refused := credentials.refused(toolbox):
        roles = " and ".join(refused)
        yield "FAIL", f'the database rejects the password of {roles}: "invoke up" sets it again.'
    else:
        yield "ok", f"the roles {' and '.join(credentials.ROLES)} can log in with their passwords"


# In this order: checks without Docker, those that all others need, and the rest.
CHECKS = {
    ".env": check_env,
    "cloud": check_cloud,
    "engine": check_engine,
    "settings": check_settings,
    "ports": check_ports,
    "services": check_services,
    "memory": check_memory,
    "images": check_images,
    "volumes": check_volumes,
    "folder": check_folder,
    "passwords": check_passwords,
}
