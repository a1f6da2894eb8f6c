"""A Clarius probe through its Cast SDK, which runs in a child process.

``source`` starts the process through ``host``; ``child`` is what runs there, with ``sdk`` and its
``callbacks``. ``watchdog`` detects a lost connection, ``check`` tests a connection step by step.
"""
