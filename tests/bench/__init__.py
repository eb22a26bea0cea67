"""Measures the appliance with standard clients, beside Orthanc where that is installed."""
