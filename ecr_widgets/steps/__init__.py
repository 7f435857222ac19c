"""What the kit does, one verb a module: plain typed functions, ports in, outcome out, nothing printed.

Each outcome is what the step's record keeps, and says in `changed` whether this call changed anything.
"""
