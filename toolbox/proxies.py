"""The names that Docker's settings leave out of its proxies: a container gets those of the toolbox in their place."""

import json
import os

from . import dotenv, engine, named

SETTING = "NO_PROXY"


def keep_exceptions():
    """Note in .env what Docker asks no proxy for, unless NO_PROXY is set there or in the environment."""
    text = dotenv.read(named.env())
    if SETTING in os.environ or SETTING in dotenv.values(text):
        return
    if names := exceptions(engine.own_folder() / "config.json"):
        print(named.words(f"Docker asks no proxy for {names}: neither does the toolbox now (NO_PROXY in .env)."))
        dotenv.write(named.env(), dotenv.with_value(text, SETTING, f"'{names}'"))


def exceptions(path):
    """Return the `noProxy` of Docker's settings at `path`, without names that .env could not hold; "" without one."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["proxies"]["default"]["noProxy"]
    except (OSError, ValueError, LookupError, TypeError):
        # Docker itself says what is wrong with its file.
        return ""
    return ",".join(name.strip() for name in str(names).split(",") if name.strip() and "'" not in name)
