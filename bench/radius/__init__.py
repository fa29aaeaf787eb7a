"""What a log-in and an accounting packet cost: ISPCore's functions beside FreeRADIUS' own SQL set-up."""
