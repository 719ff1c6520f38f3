"""What the platform adds to `ovd`: up, web, appcore, runner, demo, doctor. Floor 4."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Called by `ovd` through the entry point group `ovd.commands`. Imports happen when a command runs."""

    @app.command()
    def up(
        examples: Annotated[bool, typer.Option(help="Publish the example applications when they are missing.")] = True,
    ) -> None:
        """Start the whole platform on this machine; Ctrl-C stops it."""
        from ovd_saas.wiring.up import up as run

        run(with_examples=examples)

    @app.command()
    def web() -> None:
        """Run the web process alone (OVD_HOST, OVD_PORT)."""
        from ovd_saas.wiring.web import serve

        serve()

    @app.command()
    def appcore() -> None:
        """Run AppCore alone; several may run, one leads."""
        from ovd_saas.wiring.appcore import serve

        serve()

    @app.command()
    def runner() -> None:
        """Run this machine's runner alone."""
        import os
        import runpy

        from ovd_saas.wiring import home

        os.environ["OVD_RUN"] = str(home.run_folder(home.folder()))
        runpy.run_module("ovd_saas.runner", run_name="__main__", alter_sys=True)

    @app.command()
    def demo() -> None:
        """Run the main job end to end on real data and print what happened."""
        from ovd_saas.wiring.demo import run

        run()

    @app.command()
    def doctor() -> None:
        """Say what this machine offers and what is missing."""
        from ovd_saas.wiring.doctor import examine

        examine()
