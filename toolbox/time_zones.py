"""The time zone that TZ names, which each image has to know: unknown ones are taken for UTC in silence."""

from . import compose
from .errors import Failure

DEFAULT = "UTC"
FOLDER = "/usr/share/zoneinfo"
# What the file of a time zone begins with.
MAGIC = "TZif"


def check(toolbox):
    """Raise Failure when an image does not know the time zone of the configuration. The images have to be there."""
    zone = compose.environment(toolbox.config, "postgres").get("TZ", DEFAULT)
    if zone == DEFAULT:
        return
    for service in compose.SERVICES:
        look = ("head", toolbox.image(service), "-c", str(len(MAGIC)), f"{FOLDER}/{zone}")
        begin = toolbox.run("docker", "run", "--rm", "--pull=never", "--network=none", "--entrypoint", *look).stdout
        if begin != MAGIC:
            raise Failure(
                f'TZ in .env is "{zone}", a time zone that {service} does not know: take one such as Asia/Tokyo.'
            )
