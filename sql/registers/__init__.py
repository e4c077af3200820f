"""The parking register: CSV files of the district into effective-dated tables, and back as one ParkingRegister."""

from __future__ import annotations

from sql.registers.database import read_database
from sql.registers.load import load
from sql.registers.read import read_register
from sql.registers.tables import RowProblem

__all__ = ["RowProblem", "load", "read_database", "read_register"]
