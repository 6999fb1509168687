"""Which Carillon this is; a test holds it to pyproject.toml.

Not read from the installed metadata: the environment that `make` builds links the project without any.
"""

VERSION = "0.1.0"
