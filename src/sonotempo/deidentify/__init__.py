"""Copies of recordings without what says who was scanned, where and when.

``job`` does it all: ``plan`` lists what there is (found by ``discovery``), ``area`` says which part
of each picture is kept, ``sheet`` draws it to be confirmed, then ``dicom`` (with ``profile`` and
``dicom_kept``), ``streams`` and ``recordings`` write, by the names in ``key``, and ``report`` says
what was done.
"""
