"""The registers of parking and of water: CSV files into effective-dated tables, and back as one value."""

from __future__ import annotations

from sql.registers.database import read_database, read_water
from sql.registers.load import load, load_water
from sql.registers.read import read_register
from sql.registers.tables import RowProblem
from sql.registers.water_read import read_water_files, whole_tables

__all__ = [
    "RowProblem",
    "load",
    "load_water",
    "read_database",
    "read_register",
    "read_water",
    "read_water_files",
    "whole_tables",
]
