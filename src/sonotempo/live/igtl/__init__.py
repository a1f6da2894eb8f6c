"""OpenIGTLink, the protocol of PLUS and 3D Slicer: images in (``source``), labels out (``output``).

Messages are packed and unpacked by pyigtl; the connections are ours, so that a lost, slow or
malformed peer is noticed and never holds anything up. Protocol: http://openigtlink.org.
"""
