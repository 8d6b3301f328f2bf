import subprocess
from pathlib import Path

import nbformat

CELLS = [
    "import mlflow, matplotlib.pyplot as plt\nmlflow.set_experiment('executed')",
    "with mlflow.start_run(run_name='nb'):\n    mlflow.log_metric('loss', 1)",
    "class Own:\n    pass\nplt.plot([1, 2]); plt.title('Größe')\nplt.show()",
    "%%bash\necho from-bash $((40 + 2))",
    "!echo from-the-shell\n%time sum(range(10))",
]
notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
notebook.cells = [nbformat.v4.new_markdown_cell("# Größe $x^2$"), *map(nbformat.v4.new_code_cell, CELLS)]
nbformat.write(notebook, "my notebook.ipynb")
subprocess.run(["jupyter", "execute", "--inplace", "my notebook.ipynb"], check=True)
subprocess.run(["jupyter", "nbconvert", "--to", "html", "my notebook.ipynb"], check=True)
page = Path("my notebook.html").read_text()
assert "from-bash 42" in page and "from-the-shell" in page
assert "data:image/png;base64" in page and "Größe" in page
subprocess.run(["jupyter", "nbconvert", "--to", "script", "my notebook.ipynb"], check=True)
assert "mlflow.log_metric" in Path("my notebook.py").read_text()
