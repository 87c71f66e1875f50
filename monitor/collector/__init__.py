"""What receives from agents, and judges what it received."""
