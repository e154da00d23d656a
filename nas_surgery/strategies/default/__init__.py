"""The default strategy: settings, phases, and the books that keep its cap."""
