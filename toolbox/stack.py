"""The steps that several tasks share. What they decide is decided in the other modules."""

import functools
import json
import time
from datetime import timedelta
from pathlib import Path

from invoke import Exit

from . import bases, dotenv, engine, model, named, passwords, report
from .failure import Failure
from .process import ROOT, compose, quietly, visibly

FOLDERS = {"postgres": "postgres-docker", "mlflow": "ml-flow-docker", "notebook": "jupyter-notebook-docker"}
LOG_LINES = 30
# A volume whose label says in which folder the toolbox is that has the data of a project.
MARK = "folder"
FOLDER_LABEL = "data-toolbox.folder"
# How long the database may take to answer, and the pause between two questions.
DATABASE_SECONDS = 60
PAUSE_SECONDS = 0.2
# A process that ends at once can have logged its lines before Docker notes that it was started.
START_NOTED_LATE = timedelta(seconds=1)
# What it notes for a container that was made and not started.
NOT_STARTED = "0001-01-01T00:00:00Z"


def check_engine(c):
    """Raise Failure unless Docker is what the toolbox needs."""
    engine.check(functools.partial(quietly, c))


def settings(c):
    """Return the configuration with what .env sets, if there is one. Raises Failure when that is not fit."""
    dotenv.read(named.env())
    return model.load(functools.partial(quietly, c))


def containers(c):
    """Return the containers of this project, running or not, by service, as `docker compose ps` describes them.

    Raises Failure when another copy of the repository made them, which has the same name for its project.
    """
    listed = quietly(c, ["docker", "compose", "ps", "--all", "--format", "json"]).stdout
    found = model.containers(listed)
    for folder in filter(None, map(model.folder, found.values())):
        if is_another(folder):
            raise Failure(f"the toolbox in {folder} has the same name: set another COMPOSE_PROJECT_NAME in .env.")
    return found


def own_containers(c, project):
    """Return what `containers` does. Raises Failure also when the data of the project are those of another folder."""
    found = containers(c)
    owner = folder_of(c, project)
    # By Compose alone the data may be gone, and that note is left.
    if owner and is_another(owner) and volumes(c, project) != [f"{project}_{MARK}"]:
        raise Failure(
            f"the data of {project} belong to the toolbox in {owner}: set another COMPOSE_PROJECT_NAME in .env; or, if "
            f'this is to go on with them, "docker volume rm {project}_{MARK}" first.'
        )
    return found


def take_folder(c, project):
    """Note that the data of a project belong to the toolbox in this folder: in the label of a volume without files.

    That is there as long as the data are, which containers are not, and no start by Compose alone minds it.
    """
    if (owner := folder_of(c, project)) != str(ROOT):
        name = f"{project}_{MARK}"
        if owner:
            quietly(c, ["docker", "volume", "rm", name])
        labels = (f"com.docker.compose.project={project}", f"{FOLDER_LABEL}={ROOT}")
        quietly(c, ["docker", "volume", "create", *(f"--label={label}" for label in labels), name])


def folder_of(c, project):
    """Return the folder of the toolbox whose data those of a project are; empty when that was not noted."""
    asked = ["docker", "volume", "inspect", "--format", f'{{{{index .Labels "{FOLDER_LABEL}"}}}}', f"{project}_{MARK}"]
    return quietly(c, asked).stdout.strip()


def is_another(folder):
    """Return whether there is a toolbox in a folder that is not this one. A repository that was moved goes on."""
    return Path(folder).resolve() != ROOT.resolve() and (Path(folder) / "docker-compose.yml").exists()


def volumes(c, project, name=""):
    """Return the names of the volumes of a project, also those that an upgrade has replaced; or those of one `name`."""
    labels = {"com.docker.compose.project": project, **({"com.docker.compose.volume": name} if name else {})}
    filters = [word for label, value in labels.items() for word in ("--filter", f"label={label}={value}")]
    return sorted(quietly(c, ["docker", "volume", "ls", "--quiet", *filters]).stdout.split())


def exists(c, kind, name):
    """Return whether Docker has a volume or an image (`kind`) of that name."""
    return bool(quietly(c, ["docker", kind, "inspect", name]))


def build_images(c):
    """Build the three images, and first stand-ins for the bases that no registry gives. Return the configuration."""
    engine.check_own_folder()
    config = settings(c)
    absent = bases.absent(
        config, official_bases(), has=functools.partial(exists, c, "image"), pull=functools.partial(pull, c)
    )
    if unreachable := [official_bases()[service] for service in absent if not bases.is_stand_in(config, service)]:
        names = ", ".join(unreachable)
        print(f"No registry answers for {names}: building from Debian packages instead (see bare-machine/README.md).")
    if absent:
        use_stand_ins(c, absent)
        config = settings(c)
    if not compose(c, "build"):
        raise Failure("an image could not be built: Docker's own message is above.")
    return config


def official_bases():
    """Return the official base image of each service, from its Dockerfile."""
    return {service: bases.default((ROOT / folder / "Dockerfile").read_text()) for service, folder in FOLDERS.items()}


def pull(c, image):
    """Pull an image; return whether that succeeded, and what Docker said."""
    result = visibly(c, ["docker", "pull", image])
    return result.ok, report.plain(result.stdout + result.stderr)


def use_stand_ins(c, services, rebuild=False):
    """Build the stand-ins for the bases of `services`, those not there or all, and note in .env that they are used."""
    names = [
        bases.STAND_INS[service].name
        for service in services
        if rebuild or not exists(c, "image", bases.STAND_INS[service].image)
    ]
    if names and not visibly(c, ["bare-machine/build-bases", *names]):
        raise Exit(code=1)
    text = dotenv.read(named.env())
    for service in services:
        text = dotenv.with_value(text, bases.variable(service), bases.STAND_INS[service].image)
    dotenv.write(named.env(), text)


def use_official():
    """Note in .env that the official base images are used from now on."""
    text = dotenv.read(named.env())
    for service, image in official_bases().items():
        text = dotenv.without_value(text, bases.variable(service), image)
    dotenv.write(named.env(), text)


def start_database(c):
    """Start postgres and wait until it is healthy, or does not become so.

    Raises Failure when it refuses the volume, with postgres stopped again: the health checks would need minutes to show
    it, and not say why.
    """
    started = compose(c, "up", "--detach", "postgres")
    end = time.monotonic() + DATABASE_SECONDS
    while started and report.state(found := containers(c).get("postgres")) != "running healthy":
        if time.monotonic() >= end or not report.state(found).startswith("running"):
            break
        if reasons := report.refusals(log_since_start(c, "postgres", found)):
            compose(c, "stop", "postgres")
            raise Failure(reasons[-1])
        time.sleep(PAUSE_SECONDS)


def start(c):
    """Start what does not run yet with the present settings, wait until all is healthy, and print the addresses.

    Raises Failure when a service does not become healthy.
    """
    config = settings(c)
    bring_up(c)
    # A role has changed its password, or the file of one has changed: all take the present ones when they start.
    if passwords.refused(c):
        compose(c, "stop")
        bring_up(c)
    print()
    print(
        *report.addresses(config, passwords.read(c, "notebook", "token"), passwords.read(c, "postgres", "analyst")),
        sep="\n",
    )


def bring_up(c):
    """Start what does not run yet and wait until all is healthy. Raises Failure when a service does not become so."""
    if not compose(c, "up", "--detach", "--wait", "--remove-orphans"):
        explain(c)


def explain(c):
    """Print the end of the log that shows why the toolbox did not become healthy, and raise Failure with the reason."""
    found = containers(c)
    service = report.first_unhealthy(found)
    if service is None or report.state(found.get(service)) in ("down", "created"):
        raise Failure("Docker could not start everything: its own message is above.")
    # The container of a one-shot service is started again, and its log has the reasons of earlier starts.
    since = ["--since", started_at(c, found[service])] if service in model.ONE_SHOTS else []
    log = compose(c, "logs", "--no-log-prefix", *since, "--tail", str(LOG_LINES), service).stdout
    if reasons := report.refusals(log):
        raise Failure(reasons[-1])
    if service in model.ONE_SHOTS:
        raise Failure(
            f"{service} did not come to its end, nothing was changed: see the end of its log above, and try again."
        )
    checks = json.loads(
        quietly(c, ["docker", "inspect", "--format", "{{json .State.Health.Log}}", found[service]["ID"]]).stdout
        or "null"
    )
    if checks:
        print(f"The last health check said: {checks[-1]['Output'].strip()}")
    raise Failure(f"{service} did not become healthy ({report.state(found[service])}): the end of its log is above.")


def log_since_start(c, service, container):
    """Return what a service has logged since its container was started last."""
    logs = ["docker", "compose", "logs", "--no-log-prefix", "--since", started_at(c, container), service]
    return quietly(c, logs).stdout


def started_at(c, container):
    """Return when a container was started last, as `--since` takes it: no line of that start is older.

    Empty, which is without a limit, where the container is gone or was not started.
    """
    written = quietly(c, ["docker", "inspect", "--format", "{{.State.StartedAt}}", container["ID"]]).stdout.strip()
    return (model.time(written) - START_NOTED_LATE).isoformat() if written > NOT_STARTED else ""


def base_names(c):
    """Return the base image of each service that has a container: what it was built on, whatever .env says now."""
    label = '{{index .Config.Labels "org.opencontainers.image.base.name"}}'
    return {
        service: quietly(c, ["docker", "inspect", "--format", label, container["ID"]]).stdout.strip()
        for service, container in containers(c).items()
    }
