"""Records: one file a noun. "Model" always means a machine-learning model, so rows are records. Floor 1."""

from ovd_saas.store.records.applications import Application
from ovd_saas.store.records.batches import Batch, DeliveryKey, SourceFile
from ovd_saas.store.records.drift import DriftReference
from ovd_saas.store.records.executions import Execution, ExecutionEvent, Share
from ovd_saas.store.records.learning_runs import LearningEvent, LearningRun, Snapshot, TriggerEvaluation
from ovd_saas.store.records.loose_files import LooseFile
from ovd_saas.store.records.models import DriftMeasure, ModelVersion, Promotion
from ovd_saas.store.records.people import Invitation, Membership, Organisation, Token, User
from ovd_saas.store.records.processes import Measure, Process, Runner
from ovd_saas.store.records.releases import Release
from ovd_saas.store.records.samples import Collection, Sample
from ovd_saas.store.records.transitions import Transition
from ovd_saas.store.records.triggers import Lookout

__all__ = [
    "Application",
    "Batch",
    "Collection",
    "DeliveryKey",
    "DriftMeasure",
    "DriftReference",
    "Execution",
    "ExecutionEvent",
    "Invitation",
    "LearningEvent",
    "LearningRun",
    "Lookout",
    "LooseFile",
    "Measure",
    "Membership",
    "ModelVersion",
    "Organisation",
    "Process",
    "Promotion",
    "Release",
    "Runner",
    "Sample",
    "Share",
    "Snapshot",
    "SourceFile",
    "Token",
    "Transition",
    "TriggerEvaluation",
    "User",
]
