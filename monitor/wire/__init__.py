"""What agents and collectors say to each other: values, and how they are signed. Pure."""
