"""Shared memory between one writer and any number of readers, in this process or in others."""
