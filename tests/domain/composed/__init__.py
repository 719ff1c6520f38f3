"""The composed application: all regions, rows and processes of one application as one finite system.

It moves by the real tables and the real plan; what AppCore, gateway, runner and people do around them is written
down here, one file each, with every crash as an event.
"""
