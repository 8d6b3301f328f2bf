import json
import uuid

import requests
import websocket
from jupyter_server.serverapp import list_running_servers

api, token = "http://127.0.0.1:8888/api", {"Authorization": f"token {next(list_running_servers())['token']}"}
kernel = requests.post(f"{api}/kernels", headers=token, json={"name": "python3"}, timeout=60).json()["id"]


def run(code):
    address = f"ws://127.0.0.1:8888/api/kernels/{kernel}/channels"
    socket = websocket.create_connection(address, header=token, timeout=60)
    header = {
        "msg_id": uuid.uuid4().hex,
        "username": "",
        "session": "",
        "msg_type": "execute_request",
        "version": "5.3",
    }
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": {"code": code}, "channel": "shell"}
    socket.send(json.dumps(message))
    while (answer := json.loads(socket.recv()))["msg_type"] != "execute_reply":
        pass
    socket.close()
    return answer["content"]["status"]


assert run("import mlflow; answer = mlflow.get_tracking_uri()") == "ok"
assert run("assert answer == 'http://mlflow:5000'") == "ok"
assert requests.post(f"{api}/kernels/{kernel}/restart", headers=token, timeout=60).status_code == 200
assert run("answer") == "error"
assert requests.delete(f"{api}/kernels/{kernel}", headers=token, timeout=60).status_code == 204
