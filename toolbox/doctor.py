"""What `invoke doctor` looks at. Each check says what it found in a line or more, and none of them changes anything."""

import difflib
import re
import shlex
import time
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal as human_size

from . import (
    database,
    dotenv,
    model,
    named,
    passwords,
    ports,
    process,
    report,
    runs,
    stack,
    status,
    stores,
    values,
    work,
    zones,
)
from .failure import Failure
from .process import ROOT, quietly

# Less than this many bytes free is told: the log of the database alone may take 1 GB, and a model as much.
LEAST_FREE = 5_000_000_000
# How far the clocks may be apart, in seconds.
MOST_DRIFT = 2
# After so many hours without a metric, the program of a run was most likely killed, or forgot to end it.
SILENT_HOURS = 24
# How alike a name must be to one that is known to be taken for a misspelling, from 0 to 1.
LIKENESS = 0.7
# What earlier versions read from .env, and why it can go.
RETIRED = {"POSTGRES_PASSWORD": "the superuser has no password any more"}
# What Docker Compose itself reads from .env.
COMPOSE_VARIABLES = {
    "COMPOSE_ANSI",
    "COMPOSE_BAKE",
    "COMPOSE_CONVERT_WINDOWS_PATHS",
    "COMPOSE_DISABLE_ENV_FILE",
    "COMPOSE_ENV_FILES",
    "COMPOSE_EXPERIMENTAL",
    "COMPOSE_FILE",
    "COMPOSE_IGNORE_ORPHANS",
    "COMPOSE_MENU",
    "COMPOSE_PARALLEL_LIMIT",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_PROFILES",
    "COMPOSE_PROGRESS",
    "COMPOSE_PROJECT_NAME",
    "COMPOSE_REMOVE_ORPHANS",
    "COMPOSE_STATUS_STDOUT",
}
# Prints the version of MLflow.
NOTEBOOK = ("python", "-c", 'from importlib.metadata import version; print(version("mlflow"))')
# The same, and then every revision that its tables can have, the present one first: made with the image.
SERVER = ("cat", "/opt/mlflow/revisions")
SIZE = "SELECT sum(pg_database_size(datname)) FROM pg_database;"
NOW = "SELECT extract(epoch FROM clock_timestamp());"

# What the firmware of a cloud's machines says of itself; cloud-init knows them by the same. Each answers its machines
# at METADATA, some with passwords for what the machine may do.
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

# Why a check is left out that needs what is not there.
NOT_CHECKED = {
    "engine": "Docker does not answer.",
    "settings": "Docker Compose cannot read the configuration.",
    **{service: f'{service} is not running: "invoke up" starts it.' for service in model.SERVICES},
}


class Finding(NamedTuple):
    """One line: how it is (`ok`, `warn` or `FAIL`), what was looked at, and what was found, with the remedy."""

    level: str
    check: str
    text: str

    def __str__(self):
        return f"{self.level:4}  {self.check:9}  {self.text}"


class Patient:
    """The installation that is looked at: what checks found out that later ones need.

    `has` holds those of NOT_CHECKED that are there.
    """

    def __init__(self, c):
        self.c = c
        self.has = set()
        self.config = None
        self.containers = {}
        self.free = []
        self.server = []


def examine(c):
    """Do all checks; yield what they find. Raises nothing: a check that fails is a finding too."""
    patient = Patient(c)
    for name, check, needs in CHECKS:
        missing = [need for need in needs if need not in patient.has]
        if missing:
            yield Finding("warn", name, f"not checked: {NOT_CHECKED[missing[0]]}")
            continue
        try:
            yield from (Finding(level, name, text) for level, text in check(patient))
        except Failure as failure:
            yield Finding("FAIL", name, reason(failure))
        except Exception as error:
            # Whatever it is, the other checks may find the cause. What it says may hold a secret, its name cannot.
            yield Finding("FAIL", name, f"cannot be checked ({type(error).__name__}): look at the other lines.")


def has_failed(findings):
    """Return whether something was found that has to be mended."""
    return any(finding.level == "FAIL" for finding in findings)


def conclusion(findings):
    """Return the sentence at the end, about all that was found."""
    failed = [finding.check for finding in findings if finding.level == "FAIL"]
    warned = [finding.check for finding in findings if finding.level == "warn"]
    if failed:
        return f"{counted(len(failed), 'problem')}: begin with the first FAIL, {failed[0]}."
    if warned:
        return f"No problem, but {counted(len(warned), 'warning')}: see {', '.join(dict.fromkeys(warned))}."
    return "All is well."


def counted(number, noun):
    """Return a number and a noun, in the plural where it has to be."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def reason(failure):
    """Return what a Failure says, without the word that stands before it."""
    return str(failure.message).removeprefix("FAIL: ")


# --- Docker and the settings ---


def check_engine(patient):
    """Find the versions of Docker's parts."""
    stack.check_engine(patient.c)
    patient.has.add("engine")
    commands = {
        "Docker Engine": ["docker", "version", "--format", "{{.Server.Version}}"],
        "Compose": ["docker", "compose", "version", "--short"],
        "buildx": ["docker", "buildx", "version"],
    }
    found = {name: quietly(patient.c, command).stdout for name, command in commands.items()}
    yield "ok", ", ".join(f"{name} {dotted(text)}" for name, text in found.items())


def dotted(text):
    """Return the first version number in a text, such as 2.26.1; "of unknown version" without one."""
    return status.dotted(text) or "of unknown version"


def check_env(patient):
    """Look at .env: who can read it, and which variables it sets."""
    text = dotenv.read(named.env())
    if not named.env().exists():
        yield "ok", "there is none: all settings have their defaults"
        return
    known = known_variables((ROOT / "docker-compose.yml").read_text(), (ROOT / ".env.example").read_text())
    written, mode = dotenv.values(text), named.env().stat().st_mode & 0o777
    problems = [*mode_problems(mode, written), *blank_problems(written), *unknown_problems(written, known)]
    yield from problems or [("ok", f"mode {mode:04o}, {len(written)} variables, all of them known and set")]


def known_variables(compose_file, example):
    """Return the variables that something reads; the arguments are the texts of docker-compose.yml and .env.example."""
    used = re.findall(r"\$\{(\w+)", compose_file)
    return {*used, *dotenv.defaults(example), *COMPOSE_VARIABLES}


def mode_problems(mode, values):
    """Find whether others than the owner can read or change an .env that has secrets among its values."""
    if mode & 0o077 and any(values.get(name) for name in model.SECRETS):
        yield "FAIL", f'mode {mode:04o}, others on this machine can get at the passwords: "chmod 600 .env".'


def blank_problems(values):
    """Find variables with nothing in them."""
    for name in (name for name, value in values.items() if not value.strip()):
        default = (
            "the one that was made, or the last one that was set, holds"
            if name in model.SECRETS
            else "its default holds"
        )
        yield "warn", f"{name} is blank, so {default}: set it, or take the line out."


def unknown_problems(values, known):
    """Find variables that nothing reads, and which one may be meant."""
    for name in (name for name in values if name not in known):
        if name in RETIRED:
            yield "warn", f"{name} is set, but {RETIRED[name]}: take the line out."
            continue
        nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=LIKENESS)
        remedy = f"{nearest[0]} may be meant" if nearest else "take the line out"
        yield "warn", f"{name} is set, but nothing reads it: {remedy}."


def check_settings(patient):
    """Read the configuration, find values that cannot work, and what runs."""
    wrong = values.found(patient.c)
    yield from (("FAIL", text) for text in wrong)
    patient.config = stack.settings(patient.c)
    patient.containers = stack.containers(patient.c)
    running = {name for name, found in patient.containers.items() if report.state(found).startswith("running")}
    patient.has |= {"settings"} | running & set(model.SERVICES)
    if not wrong:
        yield "ok", f"project {patient.config['name']}"


# --- The services ---


def check_services(patient):
    """Find which services are not healthy."""
    yield from services_found(patient.containers)


def services_found(containers):
    """Find which services are not healthy; `containers` are as stack.containers returns them."""
    states = {service: report.state(containers.get(service)) for service in model.SERVICES}
    if set(states.values()) == {"down"}:
        yield "warn", 'the toolbox is not running: "invoke up" starts it.'
        return
    problems = []
    for service in model.ONE_SHOTS:
        if report.has_failed(containers.get(service)):
            problems.append(("FAIL", f'{service} did not come to its end: "invoke logs --service {service}" says why.'))
    for service, state in states.items():
        if state == "running starting":
            problems.append(("warn", f"{service} is starting: wait, and look again."))
        elif state != "running healthy":
            remedy = f'"invoke up" starts it, "invoke logs --service {service}" says why'
            problems.append(("FAIL", f"{service} is not healthy ({state}): {remedy}."))
    yield from problems or [("ok", f"{', '.join(states)} are healthy")]


def check_memory(patient):
    """Find which services had programs ended because their memory was used up."""
    remarks = status.remarks(status.gather(patient.c, patient.config))
    yield from [("warn", remark) for remark in remarks] or [("ok", "no program was ended because memory was used up")]


def check_ports(patient):
    """Find whether the ports are free, or published by this toolbox, and by whom they can be reached."""
    own = ports.published(patient.containers)
    try:
        ports.check_address(patient.config)
    except Failure as failure:
        yield "warn", reason(failure)
    ports.check(patient.config, own)
    addresses = {service: model.address(patient.config, service) for service in model.SERVICES}
    words = [f"{host}:{port} {'is ours' if port in own else 'is free'}" for host, port in addresses.values()]
    yield "ok", ", ".join(words)


def check_images(patient):
    """Find whether what runs was built on the base images that are set now, and whether it knows the time zone."""
    bases = stack.base_names(patient.c)
    if not bases:
        yield "warn", 'not checked: there are no containers, "invoke up" makes them.'
        return
    yield from images_found(patient.config, bases)
    zones.check(patient.c, patient.config)


def images_found(config, bases):
    """Find whether the base images of the containers, `bases` by service, are those of the configuration."""
    wanted = {service: model.base_image(config, service) for service in bases if service in model.SERVICES}
    problems = [
        ("warn", f'{service} was built on {bases[service]} and not on {image}: "invoke up" builds it anew.')
        for service, image in wanted.items()
        if bases[service] != image
    ]
    yield from problems or [("ok", ", ".join(wanted.values()))]


# --- The volumes ---


class Mount(NamedTuple):
    """A volume by its full name, and the service and folder where it is."""

    volume: str
    service: str
    folder: str


def mounts(config):
    """Return the volumes that the services write, each once for a service, where it is first."""
    found = [
        Mount(config["volumes"][mount["source"]]["name"], service, mount["target"])
        for service in (*model.SERVICES, *model.ONE_SHOTS)
        for mount in config["services"].get(service, {}).get("volumes", [])
        if mount["type"] == "volume" and not mount.get("read_only")
    ]
    return list({(mount.volume, mount.service): mount for mount in reversed(found)}.values())[::-1]


def check_volumes(patient):
    """Find whether each volume is there and belongs to the user of its service, and how much room it has."""
    problems = []
    for mount in mounts(patient.config):
        image = f"{patient.config['name']}-{mount.service}"
        if not stack.exists(patient.c, "volume", mount.volume):
            problems.append(("warn", f'{mount.volume} does not exist: "invoke up" makes it, empty.'))
        elif not stack.exists(patient.c, "image", image):
            problems.append(
                ("warn", f'{mount.volume} not checked: the image {image} is missing, "invoke up" builds it.')
            )
        else:
            looked = quietly(patient.c, look(mount, image, patient.config["services"][mount.service].get("user")))
            if not looked:
                raise Failure(f"{mount.volume} cannot be looked at in a container of {image}: see what Docker says.")
            owner, user, free = looked.stdout.split()
            problems += owner_problems(mount, image, owner, user)
            patient.free.append(int(free) * 1024)
    names = ", ".join(mount.volume for mount in mounts(patient.config))
    yield from problems or [("ok", f"{names} belong to the users of their services")]


def look(mount, image, user=None):
    """Return the command that prints the owner of a volume, the user of its service, and the free kB of its disk.

    `user` is who the service runs as, if that is not the user of its image.

    It runs in a container of its own, which can only look, because a service whose volume is not its own does not run.
    """
    folder = shlex.quote(mount.folder)
    script = f"stat -c %u {folder} && id -u && df -Pk {folder} | tail -1 | awk '{{print $4}}'"
    options = ["--rm", "--pull", "never", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    place = f"type=volume,source={mount.volume},target={mount.folder},readonly,volume-nocopy"
    options += ["--user", user] if user else []
    return ["docker", "run", *options, "--mount", place, "--entrypoint", "sh", image, "-c", script]


def owner_problems(mount, image, owner, user):
    """Find whether a volume belongs to another user than that of its service; both are numbers as text."""
    if owner != user:
        place = f"--volume {mount.volume}:{mount.folder}"
        mend = f"docker run --rm --user 0 {place} --entrypoint chown {image} -R {user} {mount.folder}"
        yield "FAIL", f'{mount.volume} belongs to user {owner}, but {mount.service} runs as {user}: "{mend}".'


def check_folder(patient):
    """Find whether the notebook can write to the folder of this machine that is its ~/work, if there is one."""
    folder = work.folder(patient.config)
    if folder is None:
        yield "ok", "~/work is in the volume of the home"
        return
    work.check(patient.config)
    if not stack.exists(patient.c, "image", work.image(patient.config)):
        yield "warn", f'{folder} not checked: the image of the notebook is missing, "invoke up" builds it.'
        return
    owner, writable = work.look(patient.c, patient.config, str(folder), work.TARGET, "bind")
    if not writable:
        reason = work.unwritable(folder, owner, work.user(patient.config))
        raise Failure(reason or f'{folder} belongs to user {owner}: "invoke up" has the notebook run as that user.')
    yield "ok", f"{folder} is ~/work, and user {work.user(patient.config)} can write to it"


def check_disk(patient):
    """Find how much room there is on the disks of the volumes."""
    if not patient.free:
        yield "warn", 'not checked: no volume could be looked at; "invoke up" makes them.'
        return
    yield from disk_found(min(patient.free))


def disk_found(free):
    """Find whether so many bytes free are enough."""
    if free < LEAST_FREE:
        remedy = 'make room, "docker system df" shows what Docker takes'
        yield "warn", f"{human_size(free)} free for the volumes, less than {human_size(LEAST_FREE)}: {remedy}."
    else:
        yield "ok", f"{human_size(free)} free for the volumes"


# --- The database and the server ---


def check_passwords(patient):
    """Find whether each role gets into the database with its password."""
    if refused := passwords.refused(patient.c):
        roles = " and ".join(refused)
        yield "FAIL", f'the database does not take the password of {roles}: "invoke up" sets it again.'
    else:
        yield "ok", f"the roles {' and '.join(passwords.ROLES)} get in with their passwords"


def check_versions(patient):
    """Find the versions of MLflow, in server and notebook, and of Postgres."""
    patient.server = words("artifacts", *SERVER)
    yield from versions_found(patient.server[0], *words("home", *NOTEBOOK), database.version())


def words(store, *command):
    """Return the words that a command prints in the container that has a store."""
    command = stores.running(store, *command)
    what = f"{stores.STORES[store].service} cannot tell its version of MLflow: see what it says"
    return process.output(command, what).split()


def versions_found(server, notebook, postgres):
    """Find whether server and notebook have the same version of MLflow."""
    if server != notebook:
        remedy = '"./run lock" and "./run up" make them the same'
        yield "FAIL", f"MLflow is {server} in the server and {notebook} in the notebook: {remedy}."
    else:
        yield "ok", f"MLflow {server} in server and notebook, Postgres {postgres}"


def check_tables(patient):
    """Find whether MLflow's tables are those that the server knows."""
    yield from tables_found(database.schema(), (patient.server or words("artifacts", *SERVER))[1:])


def tables_found(schema, revisions):
    """Find whether the revision of the tables is the present one, the first of those that the server knows."""
    if schema == revisions[0]:
        yield "ok", f"revision {schema}, as the server has it"
    elif schema in revisions:
        remedy = '"invoke upgrade" changes them'
        yield "FAIL", f"revision {schema} is older than the server's, {revisions[0]}: {remedy}."
    else:
        remedy = "set a later version in ml-flow-docker/requirements.in"
        yield "FAIL", f"revision {schema} is of a newer MLflow than the server's, {revisions[0]}: {remedy}."


def check_runs(patient):
    """Find runs that MLflow calls running though nothing was heard of them for a day."""
    now = runs.milliseconds()
    yield from runs_found([now - heard for *_, heard in runs.found(now)])


def runs_found(silences):
    """Find which of the running runs, from how long they are silent in ms, are hardly running any more."""
    silent = sum(silence >= SILENT_HOURS * 3_600_000 for silence in silences)
    if silent:
        are = "has" if silent == 1 else "have"
        remedy = f'"invoke runs" shows them, "invoke runs --end {SILENT_HOURS}" ends them'
        yield "warn", f"{counted(silent, 'running run')} {are} logged no metric for {SILENT_HOURS} h: {remedy}."
    else:
        yield "ok", f"{counted(len(silences), 'run')} running"


def check_size(patient):
    """Find how much the databases and the artifacts take."""
    size = int(database.sql(SIZE)[0])
    yield "ok", f"databases {human_size(size)}, artifacts {human_size(stores.size('artifacts'))}"


def check_clock(patient):
    """Find whether the clock of the database goes with this machine's; all containers share one."""
    before = time.time()
    there = float(database.sql(NOW)[0])
    yield from clock_found(before, there, time.time())


def clock_found(before, there, after):
    """Find how far a clock is off that said `there` at some moment from `before` to `after`, all in s since 1970."""
    off = max(before - there, there - after, 0)
    if off > MOST_DRIFT:
        remedy = "restart Docker Desktop, or set this machine's clock"
        yield "warn", f"the containers' clock is {off:.0f} s {'behind' if there < before else 'ahead'}: {remedy}."
    else:
        yield "ok", f"the containers' clock is less than {MOST_DRIFT} s off"


def check_cloud(patient):
    """Find whether notebooks can ask a cloud for the rights of this machine."""
    cloud = cloud_of(" ".join(read(DMI / name) for name in ("sys_vendor", "product_name", "chassis_asset_tag")))
    # Who may not see the rules is warned whatever they are.
    if cloud and METADATA not in quietly(patient.c, ["iptables", "--list-rules", "DOCKER-USER"]).stdout:
        remedy = "docs/security.md has the rule that forbids it"
        yield "warn", f"notebooks can ask {cloud}, at {METADATA}, for what this machine may do there: {remedy}."
    else:
        yield "ok", "notebooks can ask no cloud that is known here for the rights of this machine"


def read(path):
    """Return the text of a small file; empty where it is not."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def cloud_of(firmware):
    """Return the name of the cloud that a machine is in, from what its firmware says; None where none is known."""
    return next((cloud for mark, cloud in CLOUDS.items() if mark in firmware), None)


# In the order in which they are done; each with what it needs.
CHECKS = (
    ("engine", check_engine, ()),
    (".env", check_env, ()),
    ("settings", check_settings, ("engine",)),
    ("ports", check_ports, ("engine", "settings")),
    ("services", check_services, ("engine", "settings")),
    ("memory", check_memory, ("engine", "settings")),
    ("volumes", check_volumes, ("engine", "settings")),
    ("folder", check_folder, ("engine", "settings")),
    ("disk", check_disk, ("engine", "settings")),
    ("images", check_images, ("engine", "settings")),
    ("passwords", check_passwords, ("engine", "settings", "postgres")),
    ("versions", check_versions, ("engine", "settings", "postgres", "mlflow", "notebook")),
    ("tables", check_tables, ("engine", "settings", "postgres", "mlflow")),
    ("runs", check_runs, ("engine", "settings", "postgres")),
    ("size", check_size, ("engine", "settings", "postgres", "mlflow")),
    ("clock", check_clock, ("engine", "settings", "postgres")),
    ("cloud", check_cloud, ()),
)
