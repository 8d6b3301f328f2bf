"""The time zone in TZ, which each image has to know, because an unknown one would silently be UTC."""

from . import compose
from .errors import Failure

DEFAULT = "UTC"
FOLDER = "/usr/share/zoneinfo"
# The first bytes of a time zone's file.
MAGIC = "TZif"


def check(toolbox):
    """Raise Failure when an image does not know the time zone of the configuration. The images have to exist."""
    zone = compose.environment(toolbox.config, "postgres").get("TZ", DEFAULT)
    if zone == DEFAULT:
        return
    for service in compose.SERVICES:
        look = ("head", toolbox.image(service), "-c", str(len(MAGIC)), f"{FOLDER}/{zone}")
        begin = toolbox.run("docker", "run", "--rm", "--pull=never", "--network=none", "--entrypoint", *look).stdout
        if begin != MAGIC:
            raise Failure(
                f'TZ in .env is "{zone}", a time zone that {service} does not know: use one such as Asia/Tokyo.'
            )
