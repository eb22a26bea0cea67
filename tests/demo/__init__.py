"""The demonstration: a fresh appliance on loopback and a modality that sends to it."""
