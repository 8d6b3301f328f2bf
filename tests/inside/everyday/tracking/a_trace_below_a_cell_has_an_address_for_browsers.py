import subprocess

import nbformat

notebook = nbformat.v4.new_notebook()
notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
cell = """import mlflow
mlflow.set_experiment("trace below a cell")
with mlflow.start_span("shown") as span:
    span.set_outputs("yes")
mlflow.get_trace(span.trace_id, flush=True)
"""
notebook.cells = [nbformat.v4.new_code_cell(cell)]
nbformat.write(notebook, "trace.ipynb")
subprocess.run(["jupyter", "execute", "--inplace", "trace.ipynb"], check=True)
shown = str([output for cell in nbformat.read("trace.ipynb", 4).cells for output in cell.outputs])
assert "iframe" in shown
assert "mlflow:5000" not in shown
