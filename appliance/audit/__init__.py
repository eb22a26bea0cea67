"""The trace that every act leaves."""
