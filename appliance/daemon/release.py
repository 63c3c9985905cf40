"""Which Fixup this is."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """``0.1.0``"""
    try:
        return version("fixup")
    except PackageNotFoundError:
        return "not installed"
