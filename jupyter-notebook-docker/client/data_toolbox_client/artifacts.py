"""Artifacts keep their names: what has a meaning of its own in a URL is quoted."""

from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository


class QuotingArtifactsRepository(MlflowArtifactsRepository):
    """MLflow's client of the artifact store behind its server, with quoted names."""
