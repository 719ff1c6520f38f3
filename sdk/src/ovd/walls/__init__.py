"""Walls: what stands around the code of an application, put up by its process itself before it begins.

`room` and `enclose` put them up, `standing` says which ones this machine has. docs/explanation/walls.md says against
what each stands and what it does not do. Standard library only, and nothing of the rest of `ovd`.
"""

NAMES = ("user", "files", "processes", "network", "ipc", "landlock", "seccomp", "privileges", "limits")
