"""`python -m escalatord`, and what the installed command runs."""

from escalatord.cli import main

if __name__ == "__main__":
    main()
