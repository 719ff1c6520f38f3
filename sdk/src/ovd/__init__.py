"""Write, check and run machine-learning Applications for OVD-SaaS: everything an author imports.

Floor: the basement. Standard library only, Python 3.9 or newer.
"""

from ovd.app import App, Evaluation, Outputs, Rejected
from ovd.context import Cancelled, Context, Yielded
from ovd.data import File, Image, Samples, Series, Table
from ovd.fields import boolean, choice, file, image, integer, number, series, table, text

__version__ = "0.1.0"

__all__ = [
    "App",
    "Cancelled",
    "Context",
    "Evaluation",
    "File",
    "Image",
    "Outputs",
    "Rejected",
    "Samples",
    "Series",
    "Table",
    "Yielded",
    "boolean",
    "choice",
    "file",
    "image",
    "integer",
    "number",
    "series",
    "table",
    "text",
]
