"""`python -m infrastructure.cli` is `carillon`."""

from infrastructure.cli.main import main

if __name__ == "__main__":
    main(prog_name="carillon")
