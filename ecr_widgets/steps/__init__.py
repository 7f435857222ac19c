"""What the kit does, one verb a module: a frozen value that looks through the ports, then acts; nothing is printed.

Each outcome is what the step's record keeps, and says in `changed` whether this call changed anything.
"""
