"""Tables with named columns: how they are read, and how their columns become numbers."""
