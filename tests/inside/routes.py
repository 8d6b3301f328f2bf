"""Print the routes of MLflow's server as JSON: pairs of a method and a path, with parameters in <> or {}.

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
