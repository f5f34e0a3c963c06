"""What a stage imports, and the first work of those packages: done once, before forks of it run."""

# ruff: noqa: F401
import mlflow.store.tracking.sqlalchemy_store
import mlflow.tracking
import torch._dynamo
from sqlalchemy.orm import configure_mappers

import slow_features.data.frames
import slow_features.experiment
import slow_features.models.vicreg
import slow_features.probe.stage
import slow_features.training.preflight
import slow_features.training.train

configure_mappers()
