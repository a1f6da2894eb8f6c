"""A Clarius probe through its Cast SDK, which runs in a child process.

``source`` starts ``child`` (the process, seen from here), which runs ``host`` around ``sdk`` and
its ``callbacks``; ``watchdog`` notices when frames stop, ``check`` tests a connection step by step.
"""
