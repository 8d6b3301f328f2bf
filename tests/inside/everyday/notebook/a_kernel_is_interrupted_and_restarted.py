import requests
from jupyter_client.manager import start_new_kernel
from jupyter_server.serverapp import list_running_servers

manager, client = start_new_kernel(kernel_name="python3")
client.execute("kept = 1\nprint('begun', flush=True)\nwhile True: pass")
while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
    pass
manager.interrupt_kernel()
while (answer := client.get_shell_msg(timeout=60))["msg_type"] != "execute_reply":
    pass
assert answer["content"]["ename"] == "KeyboardInterrupt"
client.wait_for_ready(timeout=60)
assert client.execute("kept", reply=True, timeout=60)["content"]["status"] == "ok"
manager.restart_kernel(now=True)
client.wait_for_ready(timeout=60)
assert client.execute("kept", reply=True, timeout=60)["content"]["ename"] == "NameError"
manager.shutdown_kernel(now=True)
token = {"Authorization": f"token {next(list_running_servers())['token']}"}
specs = requests.get("http://127.0.0.1:8888/api/kernelspecs", headers=token, timeout=30).json()
assert specs["default"] == "python3"
