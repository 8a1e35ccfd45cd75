"""Settings of every test: no deadline on generated examples, since a busy machine is no defect."""

from hypothesis import settings

settings.register_profile("davylamp", deadline=None)
settings.load_profile("davylamp")
