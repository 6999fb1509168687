"""What an installation is told, and where it says so."""
