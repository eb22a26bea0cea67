"""DICOMweb: PS3.18 studies service over HTTP."""
