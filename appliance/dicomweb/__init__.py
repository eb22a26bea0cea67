"""DICOMweb: the protocol of PS3.18 over HTTP."""
