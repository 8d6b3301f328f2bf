"""What the MLflow client of the notebook does differently from MLflow's own. MLflow finds it by its entry points."""
