"""Domain: the rules. Floor 0: facts and a moment in, decisions out; no Django, clock, disk or network."""
