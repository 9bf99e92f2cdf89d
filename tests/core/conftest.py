from hypothesis import settings

settings.register_profile("core", deadline=None, max_examples=40)  # a busy machine is no failure
settings.load_profile("core")
