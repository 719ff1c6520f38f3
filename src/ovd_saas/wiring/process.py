"""`python -m ovd_saas.wiring.process web|appcore|runner`: one of our processes, started by `ovd up`. Floor 4."""

import runpy
import sys


def main() -> None:
    name, *arguments = sys.argv[1:]
    if name == "web":
        from ovd_saas.wiring import web

        web.serve(int(arguments[1]) if arguments[:1] == ["--fd"] else None)
    elif name == "appcore":
        from ovd_saas.wiring import appcore

        appcore.serve()
    elif name == "runner":
        sys.argv = ["ovd_saas.runner"]
        runpy.run_module("ovd_saas.runner", run_name="__main__", alter_sys=True)
    else:
        raise SystemExit(f"There is no process {name!r}. There are web, appcore and runner.")


if __name__ == "__main__":
    main()
