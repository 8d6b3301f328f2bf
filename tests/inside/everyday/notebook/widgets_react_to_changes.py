import subprocess

import nbformat

CELLS = [
    "%matplotlib widget\nimport matplotlib.pyplot as plt\nimport ipywidgets as widgets",
    "slider = widgets.IntSlider(3, description='größe')\nout = widgets.interactive(lambda n: n**2, n=slider)\nout",
    "slider.value = 5\nassert out.children[0].value == 5",
    "figure, axes = plt.subplots()\naxes.plot([1, 2])\nfigure.canvas",
    "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass",
]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
nbformat.write(notebook, "widgets.ipynb")
subprocess.run(["jupyter", "execute", "--inplace", "widgets.ipynb"], check=True)
cells = nbformat.read("widgets.ipynb", 4).cells
kinds = [kind for cell in cells for output in cell.outputs for kind in output.get("data", {})]
assert kinds.count("application/vnd.jupyter.widget-view+json") >= 3
assert "IProgress not found" not in str(cells)
