import os
import secrets

import requests
from jupyter_server.serverapp import list_running_servers

session = requests.Session()
session.headers["Authorization"] = f"token {next(list_running_servers())['token']}"
api = "http://127.0.0.1:8888/api/contents"
folder = f"größe #1 {secrets.token_hex(4)}"
created = session.put(f"{api}/{requests.utils.quote(folder)}", json={"type": "directory"}, timeout=30)
assert created.status_code == 201, created.text
address = f"{api}/{requests.utils.quote(folder)}/a%20b.txt"
session.put(address, json={"type": "file", "format": "text", "content": "ä"}, timeout=30).raise_for_status()
assert session.get(address, timeout=30).json()["content"] == "ä"
assert session.patch(address, json={"path": f"{folder}/c%.txt"}, timeout=30).status_code == 200
assert os.path.exists(os.path.expanduser(f"~/{folder}/c%.txt"))
deleted = session.delete(f"{api}/{requests.utils.quote(folder)}", timeout=30)
assert deleted.status_code == 204, deleted.text
assert not os.path.exists(os.path.expanduser(f"~/{folder}"))
