"""Supplies: bring releases and models to a machine that has not got them. Floor 2: may use store, files, engines."""

from collections.abc import Callable

from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import store as files
from ovd_saas.store.records import ModelVersion, Release

_ROUNDS = 3  # of bringing what is missing: a machine may lack the release and the model, and forget one meanwhile


def prepare(*, engine: Engine, release: Release) -> None:
    """Afterwards the machine can start the release. Raises engines.base.EngineError, files.Missing."""
    engine.prepare(release.digest, files.chunks(release.digest), lambda text: None)


def provide(*, engine: Engine, model: ModelVersion) -> None:
    """Afterwards the machine has the model. Raises engines.base.EngineError, files.Missing."""
    engine.provide_model(model.digest, files.chunks(model.digest))


def supplied(
    start: Callable[[], base.Started], *, engine: Engine, release: Release, model: ModelVersion | None
) -> base.Started:
    """What `start` gives, after the machine was brought what it said it lacked; that may take minutes.
    Raises engines.base.EngineError, files.Missing."""
    for _ in range(_ROUNDS):
        try:
            return start()
        except base.NotPrepared:
            prepare(engine=engine, release=release)
        except base.NoModel:
            if model is None:
                raise
            provide(engine=engine, model=model)
    return start()
