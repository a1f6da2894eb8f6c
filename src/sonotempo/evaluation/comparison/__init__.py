"""From tables of scores to one record: what can be concluded from the arms of one or more runs.

``compare`` reads ``runs``, lines their arms up (``lineup``), pairs them (``pairs``), computes
``cells`` and ``differences`` with the bootstrap of ``statistics``, and words it in ``notes`` and
``sentences``. ``record`` is the result; it knows nothing of reports.
"""
