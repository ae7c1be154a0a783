"""How a command refuses: one message, no traceback."""


def refused(result, *parts):
    """A command's result is an error with its three lines, and names these parts."""
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    for part in ("expected:", "found:", "remedy:", *parts):
        assert part in result.stderr
