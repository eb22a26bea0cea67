"""The fixtures of the end-to-end tests."""

from tests.boxes import box as box
from tests.boxes import own_box as own_box
