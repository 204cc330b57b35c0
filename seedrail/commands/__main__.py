"""`python -m seedrail.commands` is the console command `seedrail`, where that is not on the path."""

from seedrail.commands.cli import main

if __name__ == "__main__":
    main()
