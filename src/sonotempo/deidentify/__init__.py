"""Copies of recordings without what says who was scanned, where and when.

``job`` does it all: ``plan`` lists what there is (found by ``discovery``, with ``dicom_check``),
``area`` says which part of each picture is kept, ``sheet`` draws it to be confirmed; ``writer``
then calls ``dicom`` (with ``profile`` and ``dicom_kept``), ``streams`` and ``recordings``, by the
names in ``key``, and ``report`` says what was done.
"""
