"""The rooms of the Control Panel, one file a noun. Floor 3."""
