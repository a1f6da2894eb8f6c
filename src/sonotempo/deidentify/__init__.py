"""Copies of recordings without what says who was scanned, where and when.

``job`` does it all: ``plan`` finds what there is, ``area`` the part of each picture that is kept,
``sheet`` draws it to be confirmed, then ``dicom`` (with ``dicom_kept``), ``streams`` and
``recordings`` write, by the names in ``key``, and ``report`` says what was done.
"""
