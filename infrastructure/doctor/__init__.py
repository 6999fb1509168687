"""Look at everything that Carillon stands on, and change none of it."""
