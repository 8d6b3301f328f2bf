"""Measure the toolbox and the plain setup side by side: `invoke dev.bench` runs this program.

Writes speed.json, speed.md and speed.png. Both stacks are temporary, with separate names and ports.
"""

import argparse
import base64
import datetime
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.filesize import decimal as human_size

from benchmarks import results, stacks
from toolbox.compose import SERVICES
from toolbox.errors import Failure, one_line
from toolbox.process import ROOT

# In this order; each is a module. `start` leaves both stacks running, with some runs.
SECTIONS = (
    "images",
    "start",
    "memory",
    "one_client",
    "many_clients",
    "loop",
    "artifacts",
    "pages",
    "backends",
    "growth",
    "limits",
)
# What both stacks need under load, in bytes: memory, and disk for images, databases and the large file.
MEMORY = 6_000_000_000
DISK, DISK_QUICK = 20_000_000_000, 10_000_000_000


def main():
    """Run the benchmark; a failure exits with code 1 and one line."""
    arguments = parse_arguments()
    try:
        check_arguments(arguments)
        old = results.load(arguments.compare) if arguments.compare else None
        check_space(free_memory(), free_disk(), arguments.quick)
        table = measure(arguments)
        if old:
            print("", *results.compare(old, table), sep="\n")
    except Failure as failure:
        sys.exit(failure.message)
    except KeyboardInterrupt:
        sys.exit("FAIL: interrupted: both stacks were removed, run it again when convenient.")
    if table.failed:
        sys.exit(1)


def parse_arguments():
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--compare", type=Path, metavar="FILE")
    parser.add_argument("--only", default="", metavar="SECTION")
    parser.add_argument("--to", type=Path, default=Path("bench-results"), metavar="FOLDER")
    return parser.parse_args()


def check_arguments(arguments):
    """Raise Failure if the section does not exist, or the results could not be written at the end."""
    if arguments.only and arguments.only not in SECTIONS:
        raise Failure(f'there is no section "{one_line(arguments.only)}": choose from {", ".join(SECTIONS)}.')
    try:
        arguments.to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=arguments.to):
            pass
    except OSError as error:
        raise Failure(f"{arguments.to} cannot be written to ({error.strerror}): name another folder, --to.") from None


def check_space(memory, disk, quick):
    """Raise Failure if two stacks do not fit; `memory` and `disk` are the free bytes, or None if unknown."""
    for name, free, needed, remedy in (
        ("memory", memory, MEMORY, 'end other programs, or stop the toolbox with "invoke down"'),
        ("disk", disk, DISK_QUICK if quick else DISK, 'free some, "docker system df" shows what Docker uses'),
    ):
        if free is not None and free < needed:
            raise Failure(f"two stacks need {human_size(needed)} of {name}, {human_size(free)} are free: {remedy}.")


def free_memory():
    """Return the available memory in bytes, or None if the system does not report it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def free_disk():
    """Return the free bytes in Docker's data directory, or None if that is in a virtual machine."""
    folder = docker("info", "--format", "{{.DockerRootDir}}")
    return shutil.disk_usage(folder).free if Path(folder).exists() else None


def docker(*arguments):
    """Return the output of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout.strip()


def measure(arguments):
    """Run the chosen sections, print and write their results; return the table."""
    table = results.Table()
    with tempfile.TemporaryDirectory() as folder:
        print("Building both sides ...", flush=True)
        with stacks.both(folder) as sides:
            table.about = about(sides["ours"], arguments.quick)
            for section in [arguments.only] if arguments.only else SECTIONS:
                run_section(section, sides, table, arguments.quick)
            write(table, sides["ours"], arguments.to)
    return table


def run_section(section, sides, table, quick):
    """Run one section and print its rows; a failure is printed in one line, and the others still run."""
    known = set(table.rows)
    print(f"\n{section.replace('_', ' ')} ...", flush=True)
    try:
        if section not in ("images", "start"):
            for side in sides.values():
                # A running service may be unhealthy for a while after a pause, which does not matter.
                if not set(SERVICES) <= set(side.running()):
                    side.up()
        importlib.import_module(f"benchmarks.{section}").measure(sides, table, quick)
    except Exception as error:
        table.failed.append(section)
        print(f"FAIL: {section}: {one_line(str(error) or repr(error))[-500:]}", file=sys.stderr, flush=True)
    for key, row in table.rows.items():
        if key not in known:
            print(table.line(row), flush=True)


def write(table, side, folder):
    """Print the table, and write it into a folder; the notebook of `side` draws it."""
    (folder / "speed.json").write_text(table.json(), encoding="utf-8")
    (folder / "speed.md").write_text(table.markdown(), encoding="utf-8")
    print("", table.markdown(), sep="\n")
    for row in table.missed():
        print(f"{row.section}: {row.what}: {table.verdict(row)}")
    side.compose("up", "--detach", "--no-deps", "notebook")
    drawn = side.in_container("notebook", "draw.py", stdin=table.json())
    (folder / "speed.png").write_bytes(base64.b64decode(drawn))
    print(f"Wrote speed.json, speed.md and speed.png in {folder}.")


def about(side, quick):
    """Return machine, versions and load, as a dictionary of short texts."""
    info = json.loads(docker("info", "--format", "json"))
    others = docker("ps", "--quiet").split()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "run": "quick" if quick else "full",
        "machine": f"{info['NCPU']} CPUs, {human_size(info['MemTotal'])}, {info['OperatingSystem']}",
        "kernel": f"{info['KernelVersion']}, {platform.machine()}",
        "docker": info["ServerVersion"],
        "compose": docker("compose", "version", "--short"),
        "mlflow": stacks.mlflow_version(),
        "bases": ", ".join(side.base(service) for service in SERVICES),
        "revision": revision(),
        "other containers": str(len(others)),
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }


def revision():
    """Return the commit that is measured, marked if files differ from it."""
    command = ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty", "--abbrev=12"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
