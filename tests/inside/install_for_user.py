"""Build a package with a program, install it with `pip --user`, and print the path of its module as JSON.

Argument: the name of the package.
"""

import json
import subprocess
import sys
import tempfile
import zipfile

[name] = sys.argv[1:]
info = f"{name}-1.dist-info"
FILES = {
    f"{name}.py": "def main():\n    print('from the home')\n",
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    f"{info}/RECORD": "",
}

with tempfile.TemporaryDirectory() as folder:
    wheel = f"{folder}/{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in FILES.items():
            archive.writestr(path, text)
    subprocess.run(["pip", "install", "--user", "--no-index", "--quiet", wheel], check=True)
find = f"import {name}; print({name}.__file__)"
print(json.dumps(subprocess.run([sys.executable, "-c", find], check=True, capture_output=True, text=True).stdout))
