"""How pages write days and times; a folder for each language that differs from what Django has."""
