"""What the portal promises about its speed, measured against the usual ways: `make bench AREA=import`."""
