"""`python -m ovd.cli`: the same as `ovd`."""

from ovd.cli import main

if __name__ == "__main__":
    main()
