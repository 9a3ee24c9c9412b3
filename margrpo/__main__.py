"""`python -m margrpo`, the same as `margrpo`."""

from margrpo.cli import main

main()
