import json

import requests
import websocket
from jupyter_server.serverapp import list_running_servers

token = {"Authorization": f"token {next(list_running_servers())['token']}"}
api = "http://127.0.0.1:8888/api/terminals"
name = requests.post(api, headers=token, timeout=30).json()["name"]
socket = websocket.create_connection(f"ws://127.0.0.1:8888/terminals/websocket/{name}", header=token, timeout=60)
socket.send(json.dumps(["stdin", "echo answer $((6 * 7)) größe\n"]))
printed = ""
while "answer 42 größe" not in printed:
    kind, *data = json.loads(socket.recv())
    printed += data[0] if kind == "stdout" else ""
socket.close()
assert requests.delete(f"{api}/{name}", headers=token, timeout=30).status_code == 204
assert name not in [item["name"] for item in requests.get(api, headers=token, timeout=30).json()]
