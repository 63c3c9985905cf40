"""What the kernel, or the lack of a package, refuses: one line that says what to install or do."""


class KernelError(Exception):
    """The edge cannot do what was asked. The message is one line for the operator, with the remedy in it."""
