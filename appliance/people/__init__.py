"""Who uses the box: people, and later their devices. No patient data and no UID; readable while locked."""
