"""`python -m tandem`: the same as `tandem`, where the package is not installed but only there."""

from tandem.cli import main

if __name__ == "__main__":
    main()
