"""Assets: what the doors that show pages share: base template, styles, scripts, kinds, looks. Below the doors."""
