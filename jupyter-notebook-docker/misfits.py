"""Check that the packages added to a base image are compatible with the installed ones.

Usage: misfits.py REQUIREMENTS, the output of missing.py, after installing it. Exits with 1 if a requirement of one of
these packages is missing or has another version. Conflicts within the base image are only reported.
"""

import re
import sys
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

REMEDY = (
    "set another NOTEBOOK_BASE_IMAGE in .env, or request other versions in jupyter-notebook-docker/requirements.in."
)


def installed(found):
    """Return distributions by name; of two with the same name the first, which is the one that Python imports."""
    packages = {}
    for package in found:
        # Leftovers of an interrupted installation have no name.
        if name := package.metadata["Name"]:
            packages.setdefault(canonicalize_name(name), package)
    return packages


def listed(lock):
    """Return the names of the packages in the text of a requirements file that `invoke lock` wrote."""
    return [canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", lock, re.MULTILINE)]


def misfits(packages, names):
    """Yield a sentence for each unmet requirement of the packages `names`, including those of required extras."""
    asked = [(name, "") for name in names]
    for name, extra in asked:  # grows during the loop
        package = packages[name]
        for text in package.requires or ():
            try:
                requirement = Requirement(text)
                if not applies(requirement.marker, extra):
                    continue
            except ValueError:
                yield f"{name} {package.version} requires {text}, which cannot be read"
                continue
            requirement.marker = None
            needed = canonicalize_name(requirement.name)
            if needed not in packages:
                yield f"{name} {package.version} requires {requirement}, which is not installed"
            elif not fits(packages[needed].version, requirement.specifier):
                yield f"{name} {package.version} requires {requirement}, but {packages[needed].version} is installed"
            else:
                asked.extend({(needed, its) for its in requirement.extras}.difference(asked))


def applies(marker, extra):
    """Return whether a requirement with a marker applies here; with an extra, whether it applies because of that."""
    if marker is None:
        return not extra
    anyway = marker.evaluate({"extra": ""})
    return not anyway and marker.evaluate({"extra": extra}) if extra else anyway


def fits(version, specifier):
    """Return whether an installed version, which may be a pre-release, satisfies a specifier."""
    try:
        return specifier.contains(str(version), prereleases=True)
    except InvalidVersion:
        return not specifier


def check(packages, added):
    """Report conflicts. Exits with 1 if they concern the packages `added`."""
    wrong = list(dict.fromkeys(misfits(packages, added)))
    for sentence in dict.fromkeys(misfits(packages, packages)):
        if sentence not in wrong:
            print(f"In the base image {sentence}.")
    if wrong:
        sys.exit(f"FAIL: {'; '.join(wrong)}: {REMEDY}")


if __name__ == "__main__":
    here = installed(distributions())
    with open(sys.argv[1], encoding="utf-8") as requirements:
        # Packages for other platforms were not installed.
        check(here, [name for name in listed(requirements.read()) if name in here])
