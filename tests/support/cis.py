"""Section 5 of the CIS Docker Benchmark 1.6, on the containers, as far as `docker inspect` shows it, and 4.1.

Items that need judgement (5.19, 5.23, 5.24, 5.28) or concern the host (5.1) are omitted.
"""


def host(name):
    """Return a function that returns a setting from the output of `docker inspect`."""
    return lambda details: details["HostConfig"][name]


def options(details):
    return " ".join(details["HostConfig"]["SecurityOpt"])


def bindings(details):
    """Return the bindings of the container's published ports."""
    return [binding for port in details["NetworkSettings"]["Ports"].values() for binding in port or ()]


# The number, the recommendation, and whether a container follows it.
ITEMS = {
    "4.1": ("non-root user", lambda it: it["Config"]["User"].split(":")[0] not in ("", "0", "root")),
    "5.2": ("AppArmor not disabled", lambda it: "apparmor" not in options(it)),
    "5.3": ("SELinux not disabled", lambda it: "label" not in options(it)),
    "5.4": ("no capabilities", lambda it: host("CapDrop")(it) == ["ALL"] and not host("CapAdd")(it)),
    "5.5": ("not privileged", lambda it: not host("Privileged")(it)),
    "5.6": ("no host directories mounted", lambda it: {mount["Type"] for mount in it["Mounts"]} == {"volume"}),
    "5.7": ("no SSH port", lambda it: "22/tcp" not in it["NetworkSettings"]["Ports"]),
    "5.8": ("no privileged ports", lambda it: all(int(binding["HostPort"]) >= 1024 for binding in bindings(it))),
    "5.9": ("a single port", lambda it: len(it["NetworkSettings"]["Ports"]) == len(bindings(it)) == 1),
    "5.10": ("no host network", lambda it: host("NetworkMode")(it) != "host"),
    "5.11": ("memory limit", lambda it: host("Memory")(it) > 0),
    "5.12": ("CPU limit", lambda it: host("NanoCpus")(it) or host("CpuShares")(it)),
    "5.13": ("read-only root file system", host("ReadonlyRootfs")),
    "5.14": ("ports bound to one address", lambda it: {binding["HostIp"] for binding in bindings(it)} == {"127.0.0.1"}),
    "5.15": ("at most five restarts", lambda it: host("RestartPolicy")(it)["Name"] == "on-failure"),
    "5.16": ("no host PID namespace", lambda it: host("PidMode")(it) == ""),
    "5.17": ("no shared IPC namespace", lambda it: host("IpcMode")(it) == "private"),
    "5.18": ("no host devices", lambda it: not host("Devices")(it) and not host("DeviceRequests")(it)),
    "5.20": ("private mounts", lambda it: {mount["Propagation"] for mount in it["Mounts"]} <= {"", "private"}),
    "5.21": ("no host UTS namespace", lambda it: host("UTSMode")(it) == ""),
    "5.22": ("seccomp not disabled", lambda it: "seccomp" not in options(it)),
    "5.25": ("default cgroup", lambda it: host("CgroupParent")(it) == ""),
    "5.26": ("no new privileges", lambda it: "no-new-privileges:true" in options(it)),
    "5.27": ("health check", lambda it: it["State"]["Health"]["Status"] == "healthy"),
    "5.29": ("PID limit", lambda it: (host("PidsLimit")(it) or 0) > 0),
    "5.30": ("not the default bridge", lambda it: "bridge" not in it["NetworkSettings"]["Networks"]),
    "5.31": ("no host user namespace requested", lambda it: host("UsernsMode")(it) == ""),
    "5.32": ("no Docker socket mounted", lambda it: not [m for m in it["Mounts"] if "docker.sock" in m["Destination"]]),
}

# What is not met, by which services, and why.
NOT_MET = {
    "5.12": (
        ("notebook", "mlflow", "postgres"),
        "off by default; set `NOTEBOOK_CPUS`, `MLFLOW_CPUS`, `POSTGRES_CPUS`",
    ),
    "5.13": (("notebook",), "`pip install` needs it writable; changes are lost with the container"),
    "5.15": (("notebook", "mlflow", "postgres"), "services restart however long the database is unavailable"),
}
