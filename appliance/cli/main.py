"""The command ``appliance``: hands over to the command asked for, and turns errors into exit codes."""

from __future__ import annotations

import sys

from appliance.errors import NegatoError
from appliance.logs import log_unexpected


def main() -> None:
    """Run the command line of this process and exit with its code (0 ok, 2 usage, 3 locked, 4 refused, 5, 6)."""
    try:
        # The processes are started this way and stay small: no command line library is loaded for them.
        if sys.argv[1:2] == ["run"] and "--help" not in sys.argv:
            from appliance.cli.run import run_process

            run_process(sys.argv[2:])
        else:
            from appliance.cli.commands import commands

            commands()
    except NegatoError as error:
        print(f"appliance: {error.message}", file=sys.stderr)
        if error.next_step:
            print(f"  -> {error.next_step}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # A library's message may quote what it was given; where it came from is enough to mend it.
        log_unexpected(error)
        print("appliance: something failed that should not have.", file=sys.stderr)
        print("  -> Report the line above; it holds no patient data.", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
