"""How images come in: sealed at the door, sorted once somebody has unlocked."""
