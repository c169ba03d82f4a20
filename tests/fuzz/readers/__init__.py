"""Readers, one file each, found by listing this folder.

A reader has a docstring that says what it reads; READS, the modules of hermes_diag in which that is read; `seeds()`,
inputs as they come in real life; `run(data)`, which reads and hands back what a user would see of it; and, where it
raises more than errors of ours, ALLOWED.
"""
