"""What people read: progress, tables and inspections."""
