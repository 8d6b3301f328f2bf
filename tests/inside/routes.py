"""Print as JSON what MLflow's server can be asked for: pairs of a method and a path, with names in <> or {} in it.

Runs in the mlflow container.
"""

import json
import sys

sys.path.insert(0, "/opt/mlflow")

from app import create_app
from mlflow.server import app as flask_app

rules = [(method, rule.rule) for rule in flask_app.url_map.iter_rules() for method in rule.methods]
routes = [(method, route.path) for route in create_app().routes for method in getattr(route, "methods", ())]
json.dump(sorted({*rules, *routes}), sys.stdout)
