"""What happened, from saved runs alone: no Docker, AWS or Layer0 is asked, and no saved run is ever written."""
