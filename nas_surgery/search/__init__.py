"""The engine: carries out what a strategy asks for, and keeps journal, weights and clock."""
