"""What runs inside the process that is asked (Python 3.14 and newer).

The files of this folder are joined into one script (`attach/bundle.py`) and are not imported there. They use what every
Python has loaded already, make no class and no module, and drop every reference before they end.
"""
