"""The time zone that TZ names, which each image has to know: unknown ones are taken for UTC in silence."""

from . import model
from .failure import Failure
from .process import quietly

DEFAULT = "UTC"
FOLDER = "/usr/share/zoneinfo"
# What the file of a time zone begins with.
MAGIC = "TZif"


def check(c, config):
    """Raise Failure when an image does not know the time zone of the configuration. The images have to be there."""
    zone = model.environment(config, "postgres").get("TZ", DEFAULT)
    if zone == DEFAULT:
        return
    for service in model.SERVICES:
        look = ["head", f"{config['name']}-{service}", "-c", str(len(MAGIC)), f"{FOLDER}/{zone}"]
        if (
            quietly(c, ["docker", "run", "--rm", "--pull=never", "--network=none", "--entrypoint", *look]).stdout
            != MAGIC
        ):
            raise Failure(
                f'TZ in .env is "{zone}", a time zone that {service} does not know: take one such as Asia/Tokyo.'
            )
